#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/user/new_user.h"
#include "wazoauth/user/password_change.h"
#include "wazoauth/user/registration.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_body.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

Schema changed_user() {
  return {user_fields(), {}, "ChangedUser"};
}

Schema new_user() {
  Schema schema{user_fields(), {}, "NewUser"};
  schema.fields.push_back({.name = "uuid", .type = Type::uuid});
  schema.fields.push_back({.name = "password", .nullable = true, .min_length = 1});
  schema.fields.push_back({.name = "email_address", .type = Type::email, .nullable = true});
  return schema;
}

Json valid_user(const Context& context) {
  Json body = context.body_object();
  if (body.is_object()) default_authentication_method(body);
  Json valid = context.valid_body(body);
  require_authentication_method(context.settings, valid);
  return valid;
}

Step list_users(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  return list_of_users(context, query, {tenant, query.recurse, std::nullopt});
}

Step write_user(Context& context, const NewUser& user) {
  const std::string& tenant = context.tenant();
  lock_new_logins(context.db(), user.body);
  refuse_taken_logins(context.db(), user.body);
  return row_response(add_user(context, user, tenant), *user_shape());
}

Step create_user(Context& context) {
  context.tenant();
  const Json body = valid_user(context);
  if (body.get("password").is_null()) return write_user(context, {body, std::nullopt});
  refuse_taken_logins(context.db(), body);  // before a password is hashed for nothing
  return store_password(body.get("password").text(), [body](Context& next, const StoredPassword& stored) {
    return write_user(next, {body, stored});
  });
}

Step get_user(Context& context) {
  return row_response(visible_user(context.db(), context.param("user_uuid"), context.tenant()), *user_shape());
}

Step update_user(Context& context) {
  const std::string& tenant = context.tenant();
  const std::string& uuid = context.param("user_uuid");
  const Json body = valid_user(context);
  visible_user(context.db(), uuid, tenant);
  change_user(context.db(), uuid, body, tenant);
  return row_response(visible_user(context.db(), uuid, tenant), *user_shape());
}

Step delete_user(Context& context) {
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  // First the user, then the sessions: the order of a login, so the two can't deadlock.
  if (context.db().run("users.lock", {uuid}).empty()) throw problems::unknown("user", uuid);
  delete_sessions_of_user(context.db(), uuid);
  context.db().run("users.delete", {uuid});
  return Response::no_content();
}

}  // namespace

void add_user_routes(Router& router) {
  using namespace failures;
  const std::string one = "/users/<user_uuid>", access = "auth.users.{user_uuid}.";
  std::vector<std::string> columns = user_columns();
  columns.insert(columns.end(), {"policy_uuid", "policy_slug", "has_policy_uuid", "has_policy_slug"});
  RouteFamily family(router, {.plugin = "users", .tenancy = Tenancy::scoped});
  family.add(
      {.method = "GET",
       .path = "/users",
       .access = "auth.users.read",
       .handler = list_users,
       .mode = Mode::read_only,
       .summary = "List users",
       .list = listed(
           {.sort_columns = {"username", "firstname", "lastname"}, .default_order = "username", .columns = columns}),
       .answer = list_answer(user_shape())});
  family.add({.method = "POST",
              .path = "/users",
              .access = "auth.users.create",
              .handler = create_user,
              .summary = "Create a user",
              .body = takes(new_user(), Report::first, "users"),
              .answer = object_of(user_shape()),
              .failures = {conflict}});
  family.add({.method = "GET",
              .path = one,
              .access = access + "read",
              .handler = get_user,
              .mode = Mode::read_only,
              .summary = "Get a user",
              .answer = object_of(user_shape())});
  family.add({.method = "PUT",
              .path = one,
              .access = access + "update",
              .handler = update_user,
              .summary = "Replace a user's data; what isn't given gets its default",
              .body = takes(changed_user(), Report::first, "users"),
              .answer = object_of(user_shape()),
              .failures = {conflict}});
  family.add({.method = "DELETE",
              .path = one,
              .access = access + "delete",
              .handler = delete_user,
              .summary = "Delete a user with its sessions and tokens"});
  router.add(password_route());
  router.add(registration_route());
}

}  // namespace wazoauth
