// The API's own description, Swagger 2.0, made from the declarations of its routes.
//
// Beyond Swagger: `x-nullable`, and for each operation `x-access` (the required access) and for each failure `x-forms`
// (A, R, M of docs/spec/http-conventions.md section 6) and `x-reasons` (error_id or text).
#pragma once

#include <string>

#include "wazoauth/rest/router.h"

namespace wazoauth {

// `base_path`: "/api/auth/0.1"; `scheme`: "http" or "https".
Json api_document(const Router& router, const std::string& base_path, const std::string& scheme);

std::string to_yaml(const Json& value);

// GET /api/api.yml: the document of `documented`, which lives as long as `router`.
void add_api_document_route(Router& router, const Router& documented);

}  // namespace wazoauth
