// The filters of templates, by name: {{ name | upper }}. `default` isn't among them: it is no function of a text.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth::templates {

bool is_blank(char c);

struct Filter {
  std::string_view name;
  std::string (*apply)(const std::string&);
};

const Filter* find_filter(std::string_view name);  // null: unknown

}  // namespace wazoauth::templates
