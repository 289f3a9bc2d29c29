// What the audit log needs of the clean-up: docs/audit.md.
#pragma once

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::audit {

void enable(Database& database, bool enabled);  // for all that write to this database
// Makes and drops partitions, and entries of failed logins. Any nginx may do it at any time.
void keep(Database& database, const Settings& settings);

}  // namespace wazoauth::audit
