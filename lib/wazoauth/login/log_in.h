// POST /token: docs/spec/endpoints.md section 4.1.
#pragma once

#include <optional>
#include <string_view>

#include "wazoauth/login/identity_providers.h"

namespace wazoauth {

// What an Authorization header holds; nullopt unless it is well-formed Basic with a login and a password.
std::optional<Credentials> basic_credentials(std::string_view authorization);

std::shared_ptr<const BodySpec> login_body();
Step log_in(Context& context, const IdentityProviders& providers);  // the handler of POST /token

// The last step of every login, in one transaction: checks the user, the method and the limit of sessions, makes the
// token and what comes with it, and answers.
Step issue_token(Context& context, const LoginPtr& login);

}  // namespace wazoauth
