// The first user of a platform: docs/spec/config.md sections 3.5 and 5.4.
#pragma once

#include <string>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// Makes sure that the login works. Creates the user in the master tenant, with the policy of that slug, unless
// username and password are valid already. std::runtime_error for a user of that name who has another password and for
// an unknown policy. Hashes in the calling thread.
void create_initial_user(Database& database, const std::string& username, const std::string& password,
                         const std::string& purpose, const std::string& policy_slug);

// Another password for the user of exactly that name, whose sessions end. False: there is no such user.
bool reset_password(Database& database, const std::string& username, const std::string& password);

}  // namespace wazoauth
