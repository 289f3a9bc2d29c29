// Users, their passwords, addresses and policies: docs/spec/endpoints.md sections 7 to 9.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_user_routes(Router& router);
void add_user_import_routes(Router& router);
void add_user_policy_routes(Router& router);
void add_user_email_routes(Router& router);

}  // namespace wazoauth
