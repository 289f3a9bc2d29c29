// The configuration over HTTP: docs/spec/endpoints.md section 16.
#pragma once

#include "wazoauth/about/runtime_config.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_config_routes(Router& router, RuntimeConfig& config);  // `config` lives as long as the router

}  // namespace wazoauth
