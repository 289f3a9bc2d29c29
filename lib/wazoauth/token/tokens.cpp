#include "wazoauth/app.h"
#include "wazoauth/bus/event.h"
#include "wazoauth/token/answers.h"
#include "wazoauth/token/login.h"
#include "wazoauth/token/routes.h"

namespace wazoauth {

namespace {

TokenRecord live_token(Context& context) {
  const Loaded loaded = context.app.tokens().find(context.param("token_uuid"));
  if (loaded.status == Loaded::Status::unavailable) throw problems::unavailable();
  if (loaded.status == Loaded::Status::unknown || loaded.record->expired(unix_seconds())) throw no_such_token();
  return *loaded.record;
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

// Who asks may name an access and a tenant.
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
  const Rows ended = context.db().run("tokens.delete", {context.param("token_uuid")});
  if (!ended.empty())
    context.db().publish(
        events::session_deleted(ended.text(0, "session_uuid"), ended.text(0, "tenant_uuid"), ended.text(0, "auth_id")));
  return Response::json(Json::object({{"data", Json::object({{"message", "success"}})}}));
}

Step check_scopes(Context& context) {
  const ScopesRequest wanted = read_scopes_request(context.body_object());
  if (!wanted.errors.is_null()) report_python(wanted.errors);
  const TokenRecord token = live_token(context);
  const std::string list = acl::compile(token.acl);
  std::vector<bool> granted;
  for (const std::string& scope : wanted.scopes)
    granted.push_back(acl::AccessList(list).grants(scope, holder_of(token)));
  check_tenant(context, token, wanted.tenant);
  return scopes_response(wanted.scopes, granted);
}

}  // namespace

void add_token_routes(Router& router) {
  const std::string one = "/token/<token_uuid>";
  router.add({"POST", "/token", "", "tokens", log_in});
  router.add({"GET", one, "", "tokens", get_token, Mode::read_only});
  router.add({"HEAD", one, "", "tokens", head_token, Mode::read_only});
  router.add({"DELETE", one, "", "tokens", delete_token});
  router.add({"POST", one + "/scopes/check", "", "tokens", check_scopes, Mode::read_only});
}

}  // namespace wazoauth
