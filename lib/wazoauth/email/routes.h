// Confirmation of e-mail addresses: ../shared/spec/email-flows.md section 3.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_email_confirmation_routes(Router& router);

}  // namespace wazoauth
