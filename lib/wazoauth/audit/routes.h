// GET /audit: docs/spec/endpoints.md section 21.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_audit_routes(Router& router);

}  // namespace wazoauth
