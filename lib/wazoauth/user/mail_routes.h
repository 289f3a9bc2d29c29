// Confirmation of e-mail addresses, passwords that are chosen anew: docs/spec/email-flows.md sections 3 and 4.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

void add_email_confirmation_routes(Router& router);
void add_password_reset_routes(Router& router);

}  // namespace wazoauth
