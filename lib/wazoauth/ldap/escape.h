// Texts of users on their way into filters and names: docs/spec/federation.md section 3.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth::ldap {

std::string escape_filter(std::string_view value);
std::string escape_dn(std::string_view value);

using Placeholders = std::vector<std::pair<std::string_view, std::string>>;  // name → value, escaped here

// A filter with its `{placeholders}` filled in; `{{` and `}}` are braces. nullopt: it has a placeholder that isn't
// known, or a lone brace.
std::optional<std::string> fill_filter(std::string_view pattern, const Placeholders& values);

}  // namespace wazoauth::ldap
