// The mail server that the configuration names.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

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
  std::string ca;                  // certificates (PEM) that the server's one has to come from; "" for the system's
  std::string username, password;  // "" for no login
  std::string ehlo;                // what this machine calls itself; "" for its own name
};

// A domain as mail servers write it (RFC 5321, section 4.1.2): letters, digits and hyphens, with or without a dot.
bool is_domain(std::string_view text);

}  // namespace wazoauth
