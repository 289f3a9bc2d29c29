// docs/spec/federation.md section 4.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace saml {
class Providers;
}

void add_saml_config_routes(Router& router);
void add_saml_try_route(Router& router);  // 4.1
// The providers live as long as the router.
void add_saml_login_routes(Router& router, saml::Providers& providers);   // 4.2
void add_saml_logout_routes(Router& router, saml::Providers& providers);  // 4.5

}  // namespace wazoauth
