// POST /token: docs/spec/endpoints.md section 4.1.
#pragma once

#include <optional>
#include <string_view>

#include "wazoauth/login/identity_providers.h"

namespace wazoauth {

// The login and the password of an Authorization header; nullopt unless it is well-formed Basic with both.
std::optional<Credentials> basic_credentials(std::string_view authorization);

std::shared_ptr<const BodySpec> login_body();
Step log_in(Context& context, const IdentityProviders& providers);  // the handler of POST /token

}  // namespace wazoauth
