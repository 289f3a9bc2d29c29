// External services: ../shared/spec/federation.md sections 5 and 7.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_external_routes(Router& router);
void add_mobile_routes(Router& router);

}  // namespace wazoauth
