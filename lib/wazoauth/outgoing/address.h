// Where this server may be sent to by whoever administers a tenant: directories, identity providers, brokers. Names
// prove nothing, they lead elsewhere tomorrow: the address counts, at the moment of connecting.
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
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::string text() const;  // without its port
};

// What is wrong with an address, in a word for the log; "" for nothing. IPv4 addresses inside of IPv6 ones (mapped,
// translated, 6to4, Teredo) count as what they are. Made for CURLOPT_OPENSOCKETFUNCTION, too.
std::string_view denied(const sockaddr* address, const OutgoingRules& rules);

}  // namespace wazoauth
