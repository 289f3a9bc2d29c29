// ../shared/spec/federation.md section 4.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_saml_config_routes(Router& router);  // 4.1
void add_saml_login_routes(Router& router);   // 4.2
void add_saml_logout_routes(Router& router);  // 4.5

}  // namespace wazoauth
