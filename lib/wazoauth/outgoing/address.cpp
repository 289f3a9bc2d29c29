#include "wazoauth/outgoing/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace wazoauth {

namespace {

constexpr std::string_view loopback = "loopback", metadata = "metadata service";

struct Network4 {
  std::array<std::uint8_t, 4> prefix;
  unsigned bits;
  std::string_view what;
};

constexpr Network4 networks4[] = {
    {{0, 0, 0, 0}, 8, "unspecified"},     {{127, 0, 0, 0}, 8, loopback},
    {{169, 254, 0, 0}, 16, "link-local"}, {{224, 0, 0, 0}, 4, "multicast"},
    {{240, 0, 0, 0}, 4, "broadcast"},     {{100, 100, 100, 200}, 32, metadata},  // Alibaba Cloud
    {{168, 63, 129, 16}, 32, metadata},                                          // Azure
    {{192, 0, 0, 192}, 32, metadata},                                            // Oracle Cloud
};

using Bytes16 = std::array<std::uint8_t, 16>;

struct Network6 {
  Bytes16 prefix;
  unsigned bits;
  std::string_view what;  // "": an IPv4 address is inside
  std::size_t inside = 0;
  std::uint8_t mask = 0;  // its bytes are combined with this one
};

// The first that fits counts.
constexpr Network6 networks6[] = {
    {{}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, loopback},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xff}, 8, "multicast"},
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, metadata},                                             // AWS
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, metadata},  // Google Cloud
    {{0xfd, 0x00, 0x00, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42}, 128, metadata},     // Scaleway
    {{}, 96, "", 12},                                                                     // IPv4-compatible
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, "", 12},                             // IPv4-mapped
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, "", 12},                             // IPv4-translated
    {{0, 0x64, 0xff, 0x9b}, 96, "", 12},                                                  // NAT64
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, "behind a NAT64 whose addresses can't be told"},    // RFC 8215
    {{0x20, 0x02}, 16, "", 2},                                                            // 6to4
    {{0x20, 0x01, 0, 0}, 32, "", 12, 0xff},                                               // Teredo
};

bool inside(const std::uint8_t* address, const std::uint8_t* prefix, unsigned bits) {
  if (std::memcmp(address, prefix, bits / 8) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((address[bits / 8] ^ prefix[bits / 8]) >> (8 - rest)) == 0;
}

std::string_view judge(std::string_view what, const OutgoingRules& rules) {
  return what == loopback && rules.loopback ? "" : what;
}

std::string_view denied4(const std::uint8_t* address, const OutgoingRules& rules) {
  for (const Network4& network : networks4) {
    if (inside(address, network.prefix.data(), network.bits)) return judge(network.what, rules);
  }
  return "";
}

std::string_view denied6(const std::uint8_t* address, const OutgoingRules& rules) {
  for (const Network6& network : networks6) {
    if (!inside(address, network.prefix.data(), network.bits)) continue;
    if (!network.what.empty()) return judge(network.what, rules);
    std::array<std::uint8_t, 4> inner;
    for (std::size_t i = 0; i < inner.size(); ++i) inner[i] = address[network.inside + i] ^ network.mask;
    return denied4(inner.data(), rules);
  }
  return "";
}

}  // namespace

std::string_view denied(const sockaddr* address, const OutgoingRules& rules) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return denied4(reinterpret_cast<const std::uint8_t*>(&in.sin_addr), rules);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    return denied6(in.sin6_addr.s6_addr, rules);
  }
  return "no address of the Internet";
}

std::string denial(const Address& address, const OutgoingRules& rules) {
  const std::string_view what = denied(address.get(), rules);
  return what.empty() ? "" : address.text() + " is " + std::string(what);
}

Address::Address(const sockaddr* address, socklen_t length) : size(length) {
  std::memcpy(&storage, address, length);
}

std::string Address::text() const {
  std::array<char, NI_MAXHOST> host;
  const int failed = getnameinfo(get(), size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST);
  return failed ? "?" : host.data();
}

}  // namespace wazoauth
