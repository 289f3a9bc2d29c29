#include "wazoauth/rest/page.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/user/new_user.h"
#include "wazoauth/user/password.h"
#include "wazoauth/user/registration.h"
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

Step write_user(Context& context, const NewUser& user) {
  const std::string& tenant = context.tenant();
  lock_new_logins(context.db(), user.body);
  refuse_taken_logins(context.db(), user.body);
  const std::string uuid = add_user(context, user, tenant);
  return Response::json(user_json(visible_user(context.db(), uuid, tenant), 0));
}

Step create_user(Context& context) {
  context.tenant();
  const Json body = valid_body(context, new_user());
  refuse_taken_logins(context.db(), body);
  if (body.get("password").is_null()) return write_user(context, {body, std::nullopt});
  return Step::then(Lane::hashing, [body](Context&) {
    const NewUser user{body, make_credentials(body.get("password").text())};
    return Step::then(Lane::database, [user](Context& c) { return write_user(c, user); });
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
    throw user_problem(e, body, tenant);
  }
  if (!enabled) delete_sessions_of_user(context.db(), uuid);
  return Response::json(user_json(visible_user(context.db(), uuid, tenant), 0));
}

Step delete_user(Context& context) {
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  // First the user, then the sessions, as whoever logs in does.
  if (context.db().run("users.lock", {uuid}).empty()) throw problems::unknown("user", uuid);
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
  router.add({"POST", "/users/register", "", "user_registration", register_user});
}

}  // namespace wazoauth
