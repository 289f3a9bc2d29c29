// POST /users/register: docs/spec/endpoints.md section 18, docs/spec/email-flows.md section 5.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth {

Route registration_route();

}  // namespace wazoauth
