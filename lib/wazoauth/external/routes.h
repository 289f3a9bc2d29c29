// External services: ../shared/spec/federation.md sections 5 to 7.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

struct OAuth2Service;

void add_external_routes(Router& router);
void add_mobile_routes(Router& router);
void add_oauth2_routes(Router& router, const OAuth2Service& service);  // which lives as long as the router

}  // namespace wazoauth
