#include "wazoauth/mail/ehlo.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "wazoauth/base/ascii.h"
#include "wazoauth/outgoing/connect.h"

namespace wazoauth {

namespace {

constexpr const char* this_machine = "[127.0.0.1]";

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string without_last_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

// The address that the system would choose to send from. Nothing is sent: "connecting" a UDP socket only picks a route.
std::optional<Address> source_for(const Address& target) {
  const Socket probe(socket(target.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (probe.get() == -1 || connect(probe.get(), target.get(), target.size) != 0) return std::nullopt;
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  auto* address = reinterpret_cast<sockaddr*>(&own);
  if (getsockname(probe.get(), address, &size) != 0) return std::nullopt;
  return Address(address, size);
}

std::string own_address(const SmtpServer& server, const Deadline& deadline) {
  try {
    for (const Address& target : look_up(server.hostname, server.port, deadline)) {
      if (const auto source = source_for(target)) return address_literal(*source);
    }
  } catch (const Unreachable&) {
    // Then the server can't be reached either.
  }
  return this_machine;
}

}  // namespace

bool is_full_name(const std::string& name) {
  const std::string lower = ascii::lower(name);
  const auto dot = lower.rfind('.');
  if (dot == std::string::npos || !is_domain(lower)) return false;
  const bool number = std::all_of(lower.begin() + static_cast<std::ptrdiff_t>(dot) + 1, lower.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return !number && !lower.starts_with("localhost.") && !lower.ends_with(".localhost");
}

std::string address_literal(const Address& address) {
  const std::string text = address.text();
  constexpr std::string_view mapped = "::ffff:";
  if (text.starts_with(mapped) && text.find('.') != std::string::npos) return "[" + text.substr(mapped.size()) + "]";
  return text.find(':') == std::string::npos ? "[" + text + "]" : "[IPv6:" + text.substr(0, text.find('%')) + "]";
}

std::string ehlo_name(const SmtpServer& server, const Deadline& deadline) {
  if (!server.ehlo.empty()) return server.ehlo;
  std::string bare = without_last_dot(host_name());
  if (is_full_name(bare)) return bare;
  const std::string full = bare.empty() ? "" : without_last_dot(canonical_name(bare, deadline));
  return is_full_name(full) ? full : own_address(server, deadline);
}

}  // namespace wazoauth
