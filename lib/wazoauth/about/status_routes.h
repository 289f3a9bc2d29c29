// Status and back-ends: docs/spec/endpoints.md section 17.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_status_routes(Router& router);

}  // namespace wazoauth
