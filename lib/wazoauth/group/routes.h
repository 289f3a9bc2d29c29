// Groups, their members and their policies: docs/spec/endpoints.md sections 10 to 12.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_group_routes(Router& router);
void add_group_member_routes(Router& router);
void add_group_policy_routes(Router& router);

}  // namespace wazoauth
