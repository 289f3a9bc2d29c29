// Answers that the operations on one token share: docs/spec/http-conventions.md section 7.2.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/http/http.h"
#include "wazoauth/http/problem.h"
#include "wazoauth/http/report.h"

namespace wazoauth {

Problem no_such_token();                          // 404 R
Problem scope_refused(std::string_view scope);    // 403 R
Problem tenant_refused(std::string_view tenant);  // 403 R

// {"data": <Token>}; `acl_json` as for token_json().
Response token_response(std::string_view token, const TokenRecord& record, std::string_view acl_json);

// {"scopes": {...}}; granted.size() == scopes.size().
Response scopes_response(const std::vector<std::string>& scopes, const std::vector<bool>& granted);

// The body of POST /token/{t}/scopes/check.
const std::shared_ptr<const BodySpec>& scopes_body();
struct ScopesRequest {
  std::vector<std::string> scopes;
  std::string tenant;  // "" for none
  Json errors;         // the error map; null when there is none
};
ScopesRequest read_scopes_request(const Json& body);

}  // namespace wazoauth
