#include "wazoauth/ldap/presented.h"

#include <arpa/inet.h>
#include <poll.h>

#include <array>
#include <string_view>

#include "wazoauth/outgoing/presented.h"

namespace wazoauth::ldap {

namespace {

// An ExtendedRequest, message 1, of RFC 4511 section 4.14.1.
constexpr std::string_view start_tls_request =
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
    "1.3.6.1.4.1.1466.20037";

// Its answer is short; whether it is a yes, the handshake will show.
bool begin_tls(const Socket& socket, const Deadline& deadline) {
  std::array<char, 1024> answer{};
  return send(socket.get(), start_tls_request.data(), start_tls_request.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
             static_cast<ssize_t>(start_tls_request.size()) &&
         wait_for(socket.get(), POLLIN, deadline) && recv(socket.get(), answer.data(), answer.size(), MSG_DONTWAIT) > 0;
}

// As TLS may name it: addresses aren't.
std::string name_of(const std::string& host) {
  in_addr number{};
  return host.find(':') != std::string::npos || inet_pton(AF_INET, host.c_str(), &number) == 1 ? "" : host;
}

}  // namespace

std::vector<std::string> presented_by(const Server& server, const Limits& limits, const OutgoingRules& rules,
                                      const Deadline& deadline) {
  try {
    const Socket socket =
        connect_to(std::string(without_brackets(server.host)), server.port, rules, limits.network, deadline);
    if (server.security == Security::start_tls && !begin_tls(socket, deadline.at_most(limits.operation))) return {};
    return presented_certificates(socket, name_of(server.host), deadline.at_most(limits.network));
  } catch (const Unreachable&) {
    return {};
  }
}

}  // namespace wazoauth::ldap
