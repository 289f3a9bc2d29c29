// POST /config/smtp/try: docs/spec/endpoints.md section 16.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_smtp_try_route(Router& router);

}  // namespace wazoauth
