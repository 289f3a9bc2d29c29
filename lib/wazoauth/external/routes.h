// External services: docs/spec/federation.md sections 5 to 7.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace external {
class PendingAuthorizations;
}
struct OAuth2Service;
struct StoredService;

void add_external_routes(Router& router);
void add_mobile_routes(Router& router);
// `service` and `pending` live as long as the router.
void add_oauth2_routes(Router& router, const OAuth2Service& service, external::PendingAuthorizations& pending);
void add_stored_routes(Router& router, const StoredService& service, external::PendingAuthorizations& pending);

}  // namespace wazoauth
