// Texts with holes: the part of Jinja that mail templates use.
//
// {{ name }} with filters (lower, upper, capitalize: of ASCII letters; trim, default, escape, e, safe, urlencode);
// {% if %}, {% elif %}, {% else %}, {% endif %} with and, or, not, ==, !=, parentheses, `is [not] defined`,
// `is [not] none`; {# comments #}; a '-' at either side of a tag takes the blanks beside it away. The parser refuses
// the rest of Jinja by name and line: a template that is half understood would say what its author didn't mean. One
// newline at the end of the file is dropped.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/http/template_parser.h"

namespace wazoauth {

class Template {
 public:
  // A null prints as None, as Python has it; a name that isn't there is undefined and prints as nothing.
  using Values = std::map<std::string, std::optional<std::string>, std::less<>>;

  Template(std::string_view text, const std::string& name);  // throws TemplateError; copies share what was parsed

  std::string render(const Values& values) const;  // values go in as they are; nothing is escaped unasked

 private:
  std::shared_ptr<const templates::Nodes> nodes_;
};

}  // namespace wazoauth
