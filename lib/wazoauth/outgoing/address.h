// Where this server may be sent to: directories that tenants name, providers and brokers. Names prove nothing, they
// lead elsewhere tomorrow: the address counts, at the moment of connecting.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

namespace wazoauth {

struct OutgoingRules {
  bool loopback = true;  // servers on this machine may be named
};

struct Address {
  Address(const sockaddr* address, socklen_t length);
  sockaddr_storage storage{};
  socklen_t size;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::string text() const;  // without its port
};

// The reason for denying an address, in a word for the log; "" for nothing. IPv4 addresses inside of IPv6 ones (mapped,
// translated, 6to4, Teredo) count as what they are.
std::string_view denied(const sockaddr* address, const OutgoingRules& rules);

// The same with the address: "127.0.0.1 is loopback".
std::string denial(const Address& address, const OutgoingRules& rules);

}  // namespace wazoauth
