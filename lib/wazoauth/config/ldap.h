// Section ldap of the configuration: limits for the directories of all tenants.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace wazoauth::ldap {

struct Limits {
  std::chrono::milliseconds network{2000};    // to look up a name, to connect to one address, and for the TLS handshake
  std::chrono::milliseconds operation{2000};  // for each answer
  std::chrono::milliseconds login{8000};      // for the whole login
};

struct LdapSettings {
  Limits limits;
  std::string ca_file;                    // "": what ldap.conf says
  std::size_t logins_per_directory = 16;  // concurrent ones, in one worker
};

}  // namespace wazoauth::ldap
