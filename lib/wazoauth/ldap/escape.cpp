#include "wazoauth/ldap/escape.h"

namespace wazoauth::ldap {

std::string escape_filter(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    switch (c) {
      case '\\':
        escaped += "\\5c";
        break;
      case '*':
        escaped += "\\2a";
        break;
      case '(':
        escaped += "\\28";
        break;
      case ')':
        escaped += "\\29";
        break;
      case '\0':
        escaped += "\\00";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string escape_dn(std::string_view value) {
  constexpr std::string_view special = "\\,+\"<>;=";
  std::string escaped;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool at_start = i == 0 && (c == '#' || c == ' ');
    const bool at_end = i + 1 == value.size() && c == ' ';
    if (c == '\0') {
      escaped += "\\00";
      continue;
    }
    if (at_start || at_end || special.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::optional<std::string> fill_filter(std::string_view pattern, const Placeholders& values) {
  std::string filled;
  while (!pattern.empty()) {
    const std::size_t brace = pattern.find_first_of("{}");
    filled += pattern.substr(0, brace);
    if (brace == std::string_view::npos) break;
    pattern.remove_prefix(brace);
    if (pattern.starts_with("{{") || pattern.starts_with("}}")) {
      filled += pattern.front();
      pattern.remove_prefix(2);
      continue;
    }
    const std::size_t end = pattern.find('}');
    if (pattern.front() == '}' || end == std::string_view::npos) return std::nullopt;
    const std::string* value = nullptr;
    for (const auto& [name, known] : values) {
      if (name == pattern.substr(1, end - 1)) value = &known;
    }
    if (!value) return std::nullopt;
    filled += escape_filter(*value);
    pattern.remove_prefix(end + 1);
  }
  return filled;
}

}  // namespace wazoauth::ldap
