// Which users log in by which identity provider: docs/spec/endpoints.md section 15.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_idp_routes(Router& router);

}  // namespace wazoauth
