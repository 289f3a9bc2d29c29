// Ending sessions, with their tokens and their events.
#pragma once

#include <string>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// A session of the tenant or of its subtree, with its tokens. Publishes auth_session_deleted if it had a token. Nothing
// happens when it is unknown or lives elsewhere.
void delete_session(UnitOfWork& unit, const std::string& session_uuid, const std::string& tenant_uuid);

// All sessions of a user, with one auth_session_deleted for each.
void delete_sessions_of_user(UnitOfWork& unit, const std::string& user_uuid);

// The tenant of a user who is in the tenant or in its subtree; else throws 404 unknown-user.
std::string tenant_of_user(UnitOfWork& unit, const std::string& user_uuid, const std::string& scoping_tenant_uuid);

}  // namespace wazoauth
