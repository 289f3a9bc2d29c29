// Status and back-ends: ../shared/spec/endpoints.md section 17.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_status_routes(Router& router);

}  // namespace wazoauth
