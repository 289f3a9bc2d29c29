#include "wazoauth/base/ip_prefix.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace wazoauth {

namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int mapped_bits = 96;

bool is_mapped(const IpAddress& address) {
  return !address.v4 && std::equal(mapped.begin(), mapped.end(), address.bytes.begin());
}

IpAddress unmapped(const IpAddress& address) {
  if (!is_mapped(address)) return address;
  IpAddress inner{true, {}};
  std::copy(address.bytes.begin() + mapped.size(), address.bytes.end(), inner.bytes.begin());
  return inner;
}

// As it is written.
std::optional<IpAddress> read(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) {
    address.v4 = true;
    return address;
  }
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::optional<int> read_length(std::string_view text, int most) {
  int length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const bool whole = error == std::errc() && end == text.data() + text.size() && text.front() != '-';
  return whole && length <= most ? std::optional(length) : std::nullopt;
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  const auto address = read(text);
  return address ? std::optional(unmapped(*address)) : std::nullopt;
}

IpAddress masked(IpAddress address, int length) {
  for (int i = 0; i < 16; ++i) {
    const int bits = std::clamp(length - 8 * i, 0, 8);
    address.bytes[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> bits);
  }
  return address;
}

bool IpPrefix::contains(const IpAddress& address) const {
  return address.v4 == first.v4 && masked(address, length) == first;
}

std::string IpPrefix::text() const {
  std::array<char, INET6_ADDRSTRLEN> form{};
  inet_ntop(first.v4 ? AF_INET : AF_INET6, first.bytes.data(), form.data(), form.size());
  return std::string(form.data()) + "/" + std::to_string(length);
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = read(text.substr(0, slash));
  if (!address) return std::nullopt;
  const int most = address->v4 ? 32 : 128;
  const auto length = slash == std::string_view::npos ? most : read_length(text.substr(slash + 1), most);
  if (!length || masked(*address, *length) != *address) return std::nullopt;
  if (is_mapped(*address) && *length >= mapped_bits) return IpPrefix{unmapped(*address), *length - mapped_bits};
  return IpPrefix{*address, *length};
}

}  // namespace wazoauth
