// Status and back-ends: docs/spec/endpoints.md section 17.
#pragma once

#include <functional>

#include "wazoauth/base/json.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_status_routes(Router& router, std::function<Json()> health);  // the body of GET /status

}  // namespace wazoauth
