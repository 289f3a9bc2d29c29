// The directory of a tenant: docs/spec/federation.md section 3.1.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_ldap_config_routes(Router& router);

Schema ldap_config_body();                     // what can be set
void check_ldap_host(const Json& valid_body);  // throws 400

}  // namespace wazoauth
