// Why an access is granted, and to whom: docs/explain.md.
#pragma once

#include "wazoauth/access/explain.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace access {
Json to_json(const Explanation& explanation);
}

void add_access_routes(Router& router);

}  // namespace wazoauth
