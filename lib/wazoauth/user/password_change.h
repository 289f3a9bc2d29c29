// PUT /users/<user_uuid>/password: docs/spec/endpoints.md section 7.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth {

Route password_route();

}  // namespace wazoauth
