// Tokens and refresh tokens: docs/spec/endpoints.md sections 4 and 5.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

class IdentityProviders;

void add_token_routes(Router& router, const IdentityProviders& providers);  // they live as long as the router
void add_refresh_token_routes(Router& router);

}  // namespace wazoauth
