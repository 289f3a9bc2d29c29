// Locks: docs/spec/endpoints.md section 20.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_lock_routes(Router& router);

// Ends what locks have to end since a tenant was moved, and answers 204.
Step end_what_is_locked(Context& context);

}  // namespace wazoauth
