// The configuration over HTTP: ../shared/spec/endpoints.md section 16.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_config_routes(Router& router);

}  // namespace wazoauth
