// What a directory shows of itself when TLS begins.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/ldap/connection.h"

namespace wazoauth::ldap {

// Its certificates (DER), by a connection of its own that nothing is sent over: libldap tells of none that it refuses.
// Empty when there are none to be had.
std::vector<std::string> presented_by(const Server& server, const Limits& limits, const OutgoingRules& rules,
                                      const Deadline& deadline);

}  // namespace wazoauth::ldap
