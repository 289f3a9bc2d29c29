// Tenants: docs/spec/endpoints.md section 14.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_tenant_routes(Router& router);

}  // namespace wazoauth
