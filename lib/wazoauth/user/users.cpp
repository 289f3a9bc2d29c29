#include "wazoauth/group/default_groups.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/text.h"
#include "wazoauth/user/credentials.h"
#include "wazoauth/user/password.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

std::vector<Field> common_fields() {
  return {{.name = "username", .nullable = true, .fallback = Json(), .min_length = 1, .max_length = 256},
          {.name = "firstname", .nullable = true, .fallback = Json()},
          {.name = "lastname", .nullable = true, .fallback = Json()},
          {.name = "purpose", .fallback = Json("user"), .choices = {"user", "internal", "external_api"}},
          {.name = "authentication_method"},
          {.name = "enabled", .type = Type::boolean, .fallback = Json(true)}};
}

const Schema& changed_user() {
  static const Schema schema{common_fields(), {}};
  return schema;
}

const Schema& new_user() {
  static const Schema schema = [] {
    Schema fields{common_fields(), {}};
    fields.fields.push_back({.name = "uuid", .type = Type::uuid});
    fields.fields.push_back({.name = "password", .nullable = true, .min_length = 1});
    fields.fields.push_back({.name = "email_address", .type = Type::email, .nullable = true});
    return fields;
  }();
  return schema;
}

Json valid_body(const Context& context, const Schema& schema) {
  Json body = context.body_object();
  if (body.is_object() && !body.has("authentication_method")) {
    const std::string purpose = body.text_or("purpose", "user");
    body.set("authentication_method", purpose == "internal" || purpose == "external_api" ? "native" : "default");
  }
  const Validated valid = validate(schema, body);
  if (!valid.errors.is_null()) report_first(valid.errors, "users");
  const std::string method(valid.value.get("authentication_method").text());
  if (!is_authentication_method(context.settings, method))
    throw problems::invalid_data("Invalid authentication method " + method,
                                 Json::object({{"authentication_method", method}}), "users");
  return valid.value;
}

Step list_users(Context& context) {
  static const ListSpec spec{{"username", "firstname", "lastname"}, "username", {}, {}};
  const std::string& tenant = context.tenant();
  const ListQuery query = parse_list(context.request, spec);
  return page_response(page_of_users(context, query, {tenant, query.recurse, std::nullopt}), user_json);
}

void refuse_taken_logins(Context& context, const Json& body) {
  refuse_taken_login(context.db(), body.get("username"), "username", std::nullopt);
  refuse_taken_login(context.db(), body.get("email_address"), "email_address", std::nullopt);
}

Problem creation_problem(const ConstraintViolation& e, const Json& body, const std::string& tenant) {
  if (e.constraint == "auth_user_username_key") return login_taken("username", body.text_or("username", ""));
  if (e.constraint == "auth_email_address_key") return login_taken("email_address", body.text_or("email_address", ""));
  if (e.constraint == "auth_user_pkey")
    return problems::conflict("users", "uuid", "The uuid \"" + body.text_or("uuid", "") + "\" is already used");
  if (e.constraint == "auth_user_tenant_uuid_fkey") return problems::unauthorized_tenant(tenant);
  throw e;
}

void join_all_users_group(Context& context, const std::string& uuid, const std::string& tenant) {
  if (context.db().run("users.join_all_users_group", {uuid, tenant}).affected() > 0) return;
  ensure_all_users_group(context.db(), context.settings, tenant);
}

Step write_user(Context& context, const Json& body, const std::optional<Credentials>& credentials) {
  const std::string& tenant = context.tenant();
  const std::string uuid = body.has("uuid") ? std::string(body.get("uuid").text()) : new_uuid();
  lock_logins(context.db(), {body.get("username"), body.get("email_address")});
  refuse_taken_logins(context, body);
  try {
    context.db().run("users.create",
                     {uuid, text_of(body.get("username")), text_of(body.get("firstname")),
                      text_of(body.get("lastname")), body.get("purpose").text(), body.get("enabled").boolean(), tenant,
                      body.get("authentication_method").text(), credentials ? Param(credentials->hash) : Param(nullptr),
                      credentials ? Param(credentials->salt_hex) : Param(nullptr)});
    if (body.get("email_address").is_string())
      context.db().run("users.add_email", {uuid, body.get("email_address").text()});
    join_all_users_group(context, uuid, tenant);
  } catch (const ConstraintViolation& e) {
    throw creation_problem(e, body, tenant);
  }
  return Response::json(user_json(visible_user(context.db(), uuid, tenant), 0));
}

Step create_user(Context& context) {
  context.tenant();
  const Json body = valid_body(context, new_user());
  refuse_taken_logins(context, body);
  if (body.get("password").is_null()) return write_user(context, body, std::nullopt);
  return Step::then(Lane::hashing, [body](Context&) {
    const Credentials credentials = make_credentials(body.get("password").text());
    return Step::then(Lane::database, [body, credentials](Context& c) { return write_user(c, body, credentials); });
  });
}

Step get_user(Context& context) {
  return Response::json(user_json(visible_user(context.db(), context.param("user_uuid"), context.tenant()), 0));
}

Step update_user(Context& context) {
  const std::string& tenant = context.tenant();
  const std::string& uuid = context.param("user_uuid");
  const Json body = valid_body(context, changed_user());
  visible_user(context.db(), uuid, tenant);
  lock_logins(context.db(), {body.get("username")});
  refuse_taken_login(context.db(), body.get("username"), "username", uuid);
  const bool enabled = body.get("enabled").boolean();
  try {
    context.db().run("users.update", {uuid, text_of(body.get("username")), text_of(body.get("firstname")),
                                      text_of(body.get("lastname")), body.get("purpose").text(), enabled,
                                      body.get("authentication_method").text()});
  } catch (const ConstraintViolation& e) {
    throw creation_problem(e, body, tenant);
  }
  if (!enabled) delete_sessions_of_user(context.db(), uuid);
  return Response::json(user_json(visible_user(context.db(), uuid, tenant), 0));
}

Step delete_user(Context& context) {
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  context.db().run("users.delete_sessions", {uuid});
  context.db().run("users.delete", {uuid});
  return Response::no_content();
}

}  // namespace

void add_user_routes(Router& router) {
  const std::string one = "/users/<user_uuid>";
  router.add({"GET", "/users", "auth.users.read", "users", list_users, Mode::read_only});
  router.add({"POST", "/users", "auth.users.create", "users", create_user});
  router.add({"GET", one, "auth.users.{user_uuid}.read", "users", get_user, Mode::read_only});
  router.add({"PUT", one, "auth.users.{user_uuid}.update", "users", update_user});
  router.add({"DELETE", one, "auth.users.{user_uuid}.delete", "users", delete_user});
  router.add({"PUT", one + "/password", "auth.users.{user_uuid}.password.update", "users", change_password});
}

}  // namespace wazoauth
