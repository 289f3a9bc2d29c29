#include "wazoauth/token/answers.h"

#include "wazoauth/base/text.h"

namespace wazoauth {

const std::shared_ptr<const BodySpec>& scopes_body() {
  static const auto body = [] {
    BodySpec spec{
        {{list_of({}, "scopes"), {.name = "tenant_uuid", .nullable = true}}, {}, "ScopesRequest"}, Report::python, {}};
    spec.schema.fields.front().required = true;
    return std::make_shared<const BodySpec>(std::move(spec));
  }();
  return body;
}

Problem no_such_token() {
  return Problem::with_reason(404, "No such token");
}

Problem scope_refused(std::string_view scope) {
  return Problem::with_reason(403, "Unauthorized for " + transliterate(scope));
}

Problem tenant_refused(std::string_view tenant) {
  return Problem::with_reason(403, "Unauthorized for tenant " + std::string(tenant));
}

Response token_response(std::string_view token, const TokenRecord& record, std::string_view acl_json) {
  Response response;
  response.body = "{\"data\": ";
  response.body += token_json(token, record, acl_json);
  response.body += "}\n";
  return response;
}

Response scopes_response(const std::vector<std::string>& scopes, const std::vector<bool>& granted) {
  Json::Members verdicts;
  for (std::size_t i = 0; i < scopes.size(); ++i) verdicts.emplace_back(scopes[i], static_cast<bool>(granted[i]));
  return Response::json(Json::object({{"scopes", Json(std::move(verdicts))}}));
}

ScopesRequest read_scopes_request(const Json& body) {
  Validated valid = validate(scopes_body()->schema, body);
  ScopesRequest request;
  request.errors = std::move(valid.errors);
  if (!request.errors.is_null()) return request;
  for (const Json& scope : valid.value.get("scopes").items()) request.scopes.emplace_back(scope.text());
  request.tenant = valid.value.text_or("tenant_uuid", "");
  return request;
}

}  // namespace wazoauth
