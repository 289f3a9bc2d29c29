// The contents that a start gives the database.
#pragma once

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// Default policies, all-users policies, default groups, orphans, bootstrap user, check of authentication methods
// (docs/spec/endpoints.md section 19). Serialised over all nodes by an advisory lock.
// Throws Unavailable while the database is away, std::runtime_error for what stops a start.
void seed(Database& database, const Settings& settings);

}  // namespace wazoauth
