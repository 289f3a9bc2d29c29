// Cross-origin resource sharing, by the YAML's rest_api.cors.
#pragma once

#include "wazoauth/config/settings.h"
#include "wazoauth/http/http.h"

namespace wazoauth {

// Adds the CORS headers of docs/spec/http-conventions.md section 11. Applies to every answer.
void add_cors(const Settings& settings, const Request& request, Response& response);

}  // namespace wazoauth
