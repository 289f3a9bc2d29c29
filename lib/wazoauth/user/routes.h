// Users, their passwords and their policies: ../shared/spec/endpoints.md sections 7 and 9.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_user_routes(Router& router);
void add_user_policy_routes(Router& router);

}  // namespace wazoauth
