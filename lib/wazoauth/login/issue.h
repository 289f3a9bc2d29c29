// The last step of POST /token: docs/spec/endpoints.md section 4.1, steps 4 and following.
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

// The last step of every login, in one transaction: checks the user, the method and the limit of sessions, makes the
// token and what comes with it, and answers.
Step issue_token(Context& context, const LoginPtr& login);

}  // namespace wazoauth
