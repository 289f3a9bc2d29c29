// The gate's refusals, with the bodies of the API's own errors.
#pragma once

#include <string_view>

#include "wazoauth/http/problem.h"

namespace wazoauth::gate {

Problem no_token(std::string_view token, std::string_view required_access);  // 401: none, unknown, expired or revoked
// `status` 403, or 401 as the daemons answer it. `wanted_tenant`: the header Wazo-Tenant, "" when absent.
Problem denied(int status, std::string_view token, std::string_view required_access, std::string_view wanted_tenant);
Problem locked_address();   // 403
Problem two_tokens();       // 400
Problem ambiguous_path();   // 400
Problem two_methods();      // 400
Problem two_tenants();      // 400
Problem overloaded();       // 503, Retry-After: too much is waiting already
Problem starting();         // 503, Retry-After: seeding isn't done
Problem too_many_logins();  // 429, Retry-After

// The answer in place of one of nginx's own error pages.
Problem plain(int status);

}  // namespace wazoauth::gate
