// The addresses of a host's name, within a limit.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "wazoauth/base/deadline.h"
#include "wazoauth/outgoing/address.h"

namespace wazoauth {

// what() names the host.
struct Unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// As the system resolves names, /etc/hosts included. Throws Unreachable.
std::vector<Address> look_up(const std::string& host, int port, const Deadline& deadline);

// The name that the system has for this one, a full name for this machine's say; "" if it can't tell.
std::string canonical_name(const std::string& host, const Deadline& deadline);

}  // namespace wazoauth
