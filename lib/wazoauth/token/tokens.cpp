#include "wazoauth/acl/compile.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/login/log_in.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/store/event.h"
#include "wazoauth/token/answers.h"
#include "wazoauth/token/routes.h"

namespace wazoauth {

namespace {

TokenRecord live_token(Context& context) {
  auto token = gate::live_token(context.services.tokens, context.param("token_uuid"));
  if (!token) throw no_such_token();
  context.refuse_locked_address(token->tenant_uuid());
  return std::move(*token);
}

acl::Holder holder_of(const TokenRecord& token) {
  return {token.auth_id, token.session_uuid};
}

bool tenant_visible(Context& context, const TokenRecord& token, const std::string& tenant) {
  const bool storable = tenant.find('\0') == std::string::npos;
  const Rows rows = context.db().run("tokens.tenant_visible", {token.auth_id, storable ? tenant : ""});
  if (rows.empty()) throw problems::unknown("user", token.auth_id);
  return rows.boolean(0, "visible");
}

void check_tenant(Context& context, const TokenRecord& token, const std::string& tenant) {
  if (tenant.empty() || token.auth_id == "wazo-auth") return;
  if (!tenant_visible(context, token, tenant)) throw tenant_refused(tenant);
}

struct Checked {
  TokenRecord token;
  std::string list;  // compiled
};

// The request may name an access and a tenant.
Checked checked_token(Context& context) {
  TokenRecord token = live_token(context);
  std::string list = acl::compile(token.acl);
  const auto scope = query_parameter(context.request.query, "scope");
  if (!acl::AccessList(list).grants(scope, holder_of(token))) throw scope_refused(*scope);
  check_tenant(context, token, query_parameter(context.request.query, "tenant").value_or(""));
  return {std::move(token), std::move(list)};
}

Step get_token(Context& context) {
  const Checked checked = checked_token(context);
  return token_response(context.param("token_uuid"), checked.token, acl::AccessList(checked.list).json());
}

Step head_token(Context& context) {
  checked_token(context);
  return Response::no_content();
}

Step delete_token(Context& context) {
  const Rows gone = context.db().run("tokens.give_up", {context.param("token_uuid")});
  if (!gone.empty()) {
    const std::string session = gone.text(0, "session_uuid");
    const Rows ended = context.db().run("tokens.end_session", {session});
    if (!ended.empty())
      context.db().publish(events::session_deleted(session, ended.text(0, "tenant_uuid"), gone.text(0, "auth_id")));
  }
  return Response::json(Json::object({{"data", Json::object({{"message", "success"}})}}));
}

Step check_scopes(Context& context) {
  const ScopesRequest wanted = read_scopes_request(context.body_object());
  if (!wanted.errors.is_null()) report(Report::python, wanted.errors);
  const TokenRecord token = live_token(context);
  const std::string list = acl::compile(token.acl);
  std::vector<bool> granted;
  for (const std::string& scope : wanted.scopes)
    granted.push_back(acl::AccessList(list).grants(scope, holder_of(token)));
  check_tenant(context, token, wanted.tenant);
  return scopes_response(wanted.scopes, granted);
}

std::shared_ptr<const Schema> token_answer() {
  const auto token = shape("Token",
                           {{.name = "token", .type = Type::uuid},
                            {.name = "auth_id"},
                            {.name = "xivo_user_uuid", .nullable = true},
                            {.name = "xivo_uuid", .nullable = true},
                            {.name = "issued_at", .nullable = true},
                            {.name = "expires_at", .nullable = true},
                            {.name = "utc_issued_at", .nullable = true},
                            {.name = "utc_expires_at", .nullable = true},
                            list_of({}, "acl"),
                            {.name = "metadata", .type = Type::object},
                            {.name = "session_uuid", .type = Type::uuid},
                            {.name = "remote_addr"},
                            {.name = "user_agent"}},
                           {{.name = "refresh_token", .type = Type::uuid}});
  return shape("TokenAnswer", {object_of(token, "data")});
}

}  // namespace

void add_token_routes(Router& router, const IdentityProviders& providers) {
  using namespace failures;
  const std::string one = "/token/<token_uuid>";
  const auto token = token_answer();
  const auto deleted = shape("TokenDeleted", {object_of(shape("Success", {{.name = "message"}}), "data")});
  const auto verdicts = shape("Scopes", {{.name = "scopes", .type = Type::object}});
  const std::vector<Failure> refusals = {{404, ErrorForm::reason, "No such token"},
                                         {403, ErrorForm::reason, "Unauthorized for <scope>"},
                                         {403, ErrorForm::reason, "Unauthorized for tenant <tenant>"},
                                         unknown_user};
  RouteFamily family(router, {.plugin = "tokens"});
  family.add({.method = "POST",
              .path = "/token",
              .handler = [&providers](Context& context) { return log_in(context, providers); },
              .summary = "Log in: credentials by HTTP's Basic scheme, or a refresh token in the body",
              .body = login_body(),
              .answer = object_of(token),
              .failures = {login_failed,
                           unknown_tenant,
                           {429, ErrorForm::reason, "User <uuid> has exceeded the maximum number of active sessions"},
                           throttled}});
  family.add({.method = "GET",
              .path = one,
              .handler = get_token,
              .mode = Mode::read_only,
              .summary = "Get a token, if it is alive and has the access",
              .parameters = {"scope", "tenant"},
              .answer = object_of(token),
              .failures = refusals});
  family.add({.method = "HEAD",
              .path = one,
              .handler = head_token,
              .mode = Mode::read_only,
              .summary = "Tell whether a token is alive and has the access",
              .parameters = {"scope", "tenant"},
              .failures = refusals});
  family.add({.method = "DELETE",
              .path = one,
              .handler = delete_token,
              .summary = "Revoke a token",
              .answer = object_of(deleted)});
  family.add({.method = "POST",
              .path = one + "/scopes/check",
              .handler = check_scopes,
              .mode = Mode::read_only,
              .summary = "Tell which accesses a token has",
              .body = scopes_body(),
              .answer = object_of(verdicts),
              .failures = refusals});
}

}  // namespace wazoauth
