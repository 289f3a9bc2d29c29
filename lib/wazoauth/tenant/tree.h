// Who may see which tenant: ../shared/spec/http-conventions.md section 8.
#pragma once

#include <string>

#include "wazoauth/rest/router.h"

namespace wazoauth {

// The tenant of the user who asks, whatever the header Wazo-Tenant says: for operations that ignore it. 404 when the
// user is gone.
std::string caller_tenant(Context& context);

}  // namespace wazoauth
