// The contents that a start gives the database.
#pragma once

#include <functional>

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// Default policies, all-users policies, default groups, orphans, bootstrap user, check of authentication methods
// (docs/spec/endpoints.md section 19). Serialised over all nodes by an advisory lock.
//
// Calls `serve` as soon as requests find all that the configuration asks for, in a time that doesn't depend on how many
// tenants and users there are, unless the configuration asks for something new. What only mends the work of others
// comes afterwards: whatever went away in other tenants, orphans, the check of a password that was there. Throws
// Unavailable while the database is away, std::runtime_error for what stops a start.
void seed(Database& database, const Settings& settings, const std::function<void()>& serve);

}  // namespace wazoauth
