// Addresses of the Internet, and prefixes of them in CIDR notation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace wazoauth {

// IPv4 inside of IPv6 ("::ffff:192.0.2.1") is IPv4.
struct IpAddress {
  bool v4 = false;
  std::array<std::uint8_t, 16> bytes{};  // of IPv4 the first four

  bool operator==(const IpAddress&) const = default;
  bool operator<(const IpAddress& other) const { return std::tie(v4, bytes) < std::tie(other.v4, other.bytes); }
};
std::optional<IpAddress> parse_address(std::string_view text);  // without port, brackets and zone

struct IpPrefix {
  IpAddress first;
  int length = 0;  // bits

  bool contains(const IpAddress& address) const;
  std::string text() const;  // "192.0.2.0/24": the canonical form
};
// A prefix, or an address alone. nullopt for anything else, and where bits behind the length are set.
std::optional<IpPrefix> parse_prefix(std::string_view text);

// The address with only its first bits, the others 0.
IpAddress masked(IpAddress address, int length);

}  // namespace wazoauth
