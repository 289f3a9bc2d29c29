#include "wazoauth/user/user_idps.h"

#include <set>

#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

std::string known_type(const Context& context) {
  std::string type = context.param("idp_type");
  if (is_authentication_method(context.settings, type)) return type;
  throw Problem::with_error_id(404, "unknown-idp-type", "No such IDP type: \"" + type + "\"",
                               Json::object({{"idp_type", type}}), "idp");
}

// All of them, or none.
void set_methods(Context& context, const std::vector<std::string>& users, const std::string& type) {
  if (users.empty()) return;
  const Rows rows = context.db().run("idp.lock_users", {Param(users), context.tenant()});
  std::set<std::string> locked;
  for (std::size_t row = 0; row < rows.size(); ++row) locked.insert(rows.text(row, "uuid"));
  for (const std::string& uuid : users) {
    if (!locked.contains(uuid)) throw problems::unknown("user", uuid);
  }
  context.db().run("idp.set_methods", {Param(users), type});
}

Step list_types(Context& context) {
  Json items = Json::array({"native", "default"});
  for (const std::string& idp : context.settings.idps) items.append(idp);
  const auto count = static_cast<std::int64_t>(items.size());
  return Response::json(Json::object({{"total", count}, {"filtered", count}, {"items", items}}));
}

Step put_user(Context& context) {
  const std::string type = known_type(context);
  set_methods(context, {context.param("user_uuid")}, type);
  return Response::no_content();
}

Step delete_user(Context& context) {
  const std::string type = known_type(context);
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  context.db().run("idp.unset_method", {uuid, type});
  return Response::no_content();
}

Step put_users(Context& context) {
  const std::string type = known_type(context);
  context.tenant();
  const Json body = context.valid_body();
  std::vector<std::string> users;
  for (const Json& user : body.get("users").items()) users.emplace_back(user.get("uuid").text());
  set_methods(context, users, type);
  return Response::no_content();
}

}  // namespace

void add_idp_routes(Router& router) {
  const std::string users = "/idp/<idp_type>/users", one = users + "/<user_uuid>";
  const std::string access = "auth.idp.{idp_type}.users.";
  const Failure unknown_type{404, ErrorForm::error_id, "unknown-idp-type"};
  Field list = list_of(
      object_of(std::make_shared<const Schema>(Schema{{{.name = "uuid", .required = true}}, {}, "UserKey"})), "users");
  list.required = true;
  RouteFamily family(router, {.plugin = "idp"});
  family.add({.method = "GET",
              .path = "/idp",
              .access = "auth.idp.read",
              .handler = list_types,
              .mode = Mode::read_only,
              .summary = "List the methods of authentication",
              .answer = object_of(shape("IdpTypes", {{.name = "total", .type = Type::integer},
                                                     {.name = "filtered", .type = Type::integer},
                                                     list_of({}, "items")}))});
  family.add({.method = "PUT",
              .path = users,
              .access = access + "update",
              .handler = put_users,
              .tenancy = Tenancy::scoped,
              .summary = "Hand users to an identity provider: all of them, or none",
              .body = takes({{list}, {}, "UserKeys"}, Report::list_parameters),
              .failures = {unknown_type}});
  family.add({.method = "PUT",
              .path = one,
              .access = access + "{user_uuid}.create",
              .handler = put_user,
              .tenancy = Tenancy::scoped,
              .summary = "Hand a user to an identity provider",
              .failures = {unknown_type}});
  family.add({.method = "DELETE",
              .path = one,
              .access = access + "{user_uuid}.delete",
              .handler = delete_user,
              .tenancy = Tenancy::scoped,
              .summary = "Take a user back from an identity provider: the tenant's method counts again",
              .failures = {unknown_type}});
}

}  // namespace wazoauth
