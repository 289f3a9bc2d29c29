// Why an access is granted, and to whom: docs/explain.md.
#pragma once

#include "wazoauth/access/explain.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace access {
Json to_json(const Explanation& explanation);
const std::shared_ptr<const Schema>& holder_shape();  // of rows of who_can()
}  // namespace access

void add_access_routes(Router& router);

}  // namespace wazoauth
