// Making a user: docs/spec/endpoints.md section 7, POST.
#pragma once

#include <optional>
#include <string>

#include "wazoauth/login/stored_password.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

struct NewUser {
  // username, firstname, lastname, purpose, enabled, authentication_method, and, if given, uuid and email_address
  Json body;
  std::optional<StoredPassword> password;
  bool confirmed = true;  // its address
};

// Throws 409 when the username or the address is taken. The answer holds only for a transaction that has their locks.
void refuse_taken_logins(UnitOfWork& unit, const Json& body);
void lock_new_logins(UnitOfWork& unit, const Json& body);

// The user with its address, a member of the tenant's group of all users: one row, as user_shape() wants it. Throws the
// documented 409.
Rows add_user(Context& context, const NewUser& user, const std::string& tenant);

// The documented answer to a constraint that a user's rows violate.
Problem user_problem(const ConstraintViolation& violation, const Json& body, const std::string& tenant);

}  // namespace wazoauth
