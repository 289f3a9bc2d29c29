#include "wazoauth/gate/forwarded.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "wazoauth/base/ascii.h"

namespace wazoauth::gate {

namespace {

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "[address]", "[address]:port", "address:port" of IPv4, or an address alone.
std::string_view without_port(std::string_view text) {
  const bool brackets = text.starts_with('[');
  const auto end = brackets ? text.find(']') : text.find(':');
  if (end == std::string_view::npos) return brackets ? "" : text;
  const std::string_view address = text.substr(brackets ? 1 : 0, end - (brackets ? 1 : 0));
  const std::string_view rest = text.substr(end + (brackets ? 1 : 0));
  if (brackets) return (rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)))) ? address : "";
  return address.find('.') != std::string_view::npos && is_port(rest.substr(1)) ? address : text;
}

}  // namespace

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

std::optional<std::string> canonical_address(std::string_view text) {
  text = ascii::trimmed(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  std::string address(without_port(ascii::trimmed(text)));
  if (address.find('\0') != std::string::npos) return std::nullopt;
  if (address.find(':') != std::string::npos) address.resize(std::min(address.size(), address.find('%')));
  std::array<unsigned char, 16> bytes;
  constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> form;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return address;
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return std::nullopt;
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin()))
    inet_ntop(AF_INET, bytes.data() + mapped.size(), form.data(), form.size());
  else
    inet_ntop(AF_INET6, bytes.data(), form.data(), form.size());
  return form.data();
}

}  // namespace wazoauth::gate
