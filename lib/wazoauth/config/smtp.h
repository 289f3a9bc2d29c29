// The mail server that the configuration names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/outgoing/address.h"

namespace wazoauth {

struct SmtpServer {
  enum class Tls {
    none,
    starttls,  // or no mail: nothing is ever sent in the clear instead
    implicit,  // from the first byte on
  };

  std::string hostname;
  int port = 25;
  std::chrono::milliseconds timeout{4000};  // to connect, and for each answer while a client waits for us
  Tls tls = Tls::none;
  std::string ca;                      // certificates (PEM) that the server's one has to come from; "" for the system's
  std::string username, password;      // "" for no login
  std::optional<OutgoingRules> rules;  // none: the settings name it, wherever it is
  std::string ehlo;                    // what this machine calls itself; "" for its own name
};

bool is_host_name(std::string_view text);  // a name or an address, without brackets

// The name that a client may give itself: a domain, or the literal of an address, "[192.0.2.1]", "[IPv6:2001:db8::1]".
bool is_ehlo_name(const std::string& text);

// A domain as mail servers write it (RFC 5321, section 4.1.2): letters, digits and hyphens, with or without a dot.
bool is_domain(std::string_view text);

}  // namespace wazoauth
