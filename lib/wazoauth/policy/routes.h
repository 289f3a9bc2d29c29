// Policies and their accesses: docs/spec/endpoints.md section 13.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_policy_routes(Router& router);

}  // namespace wazoauth
