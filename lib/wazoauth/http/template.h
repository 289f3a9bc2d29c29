// Texts with holes: the part of Jinja that mail templates use.
//
// {{ name }} with filters (lower, upper, capitalize: of ASCII letters; trim, default, escape, e, safe, urlencode);
// {% if %}, {% elif %},
// {% else %}, {% endif %} with and, or, not, ==, !=, parentheses, `is [not] defined`, `is [not] none`; {# comments #};
// a '-' at either side of a tag takes the blanks beside it away. Whatever else Jinja knows is refused by name and line:
// half understood it would say something else than its author meant. One newline at the end of the file is dropped.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wazoauth {

// what() begins with the template's name and the line.
struct TemplateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Template {
 public:
  // A null prints as None, as Python has it; a name that isn't there is undefined and prints as nothing.
  using Values = std::map<std::string, std::optional<std::string>, std::less<>>;

  Template(std::string_view text, const std::string& name);  // throws TemplateError
  ~Template();
  Template(const Template&);  // shares what was parsed
  Template& operator=(const Template&);

  std::string render(const Values& values) const;  // values go in as they are; nothing is escaped unasked

  struct Body;

 private:
  std::shared_ptr<const Body> body_;
};

}  // namespace wazoauth
