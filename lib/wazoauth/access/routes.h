// Why an access is granted, and to whom: docs/explain.md.
#pragma once

#include "wazoauth/access/explain.h"
#include "wazoauth/access/operations.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace access {
Json to_json(const Explanation& explanation);
const std::shared_ptr<const Schema>& holder_shape();  // of rows of who_can()
}  // namespace access

// `documents`: of the daemons that are gated, for questions about a method and an address. They outlive the routes.
void add_access_routes(Router& router, access::Documents documents);

}  // namespace wazoauth
