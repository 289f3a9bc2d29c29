#include "wazoauth/gate/forwarded.h"

#include "wazoauth/base/ascii.h"

namespace wazoauth::gate {

std::optional<std::string_view> forwarded_value(std::string_view header, int n) {
  if (n <= 0) return std::nullopt;
  std::string_view value;
  for (std::string_view rest = header;; --n) {
    const auto comma = rest.rfind(',');
    value = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
    if (n == 1) break;
    if (comma == std::string_view::npos) return std::nullopt;
    rest = rest.substr(0, comma);
  }
  value = ascii::trimmed(value);
  return value.empty() ? std::nullopt : std::optional(value);
}

}  // namespace wazoauth::gate
