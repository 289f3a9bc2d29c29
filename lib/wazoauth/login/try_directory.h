// POST /backends/ldap/try: docs/spec/federation.md section 3.6.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace ldap {
class Directories;
}

void add_ldap_try_route(Router& router, ldap::Directories& directories);

}  // namespace wazoauth
