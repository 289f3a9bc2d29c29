// What a user is told to be: docs/spec/endpoints.md section 7, body of POST and PUT.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/config/settings.h"
#include "wazoauth/http/schema.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

std::vector<Field> user_fields();  // of both
// Where the body doesn't say how the user logs in, its purpose does.
void default_authentication_method(Json& body);
void require_authentication_method(const Settings& settings, const Json& body);  // throws 400

// Replaces all of `user_fields`; who is disabled has no sessions any more. Throws the documented 409.
void change_user(UnitOfWork& unit, const std::string& uuid, const Json& body, const std::string& tenant);

}  // namespace wazoauth
