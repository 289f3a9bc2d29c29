// Entries of the audit log for a syslog daemon.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/config/syslog.h"

namespace wazoauth::audit {

// A message for each, in the daemon's hands when this returns; of UDP nobody can say that. Throws
// std::runtime_error: then any number of them may have arrived.
void send_to_syslog(const SyslogServer& server, const std::vector<std::string>& entries);

}  // namespace wazoauth::audit
