// Sessions: docs/spec/endpoints.md section 6.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_session_routes(Router& router);
void add_user_session_routes(Router& router);

}  // namespace wazoauth
