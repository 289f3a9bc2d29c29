#include "wazoauth/idp/routes.h"

#include <set>

#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

std::string known_type(const Context& context) {
  std::string type = context.param("idp_type");
  if (is_authentication_method(context.settings, type)) return type;
  throw Problem::a_form(404, "unknown-idp-type", "No such IDP type: \"" + type + "\"",
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

const Schema& users_schema() {
  static const Schema user{{{.name = "uuid", .required = true}}, {}};
  static const Field item{.name = "user", .type = Type::object, .fields = std::make_shared<const Schema>(user)};
  static const Schema schema{
      {{.name = "users", .type = Type::list, .required = true, .item = std::make_shared<const Field>(item)}}, {}};
  return schema;
}

Step put_users(Context& context) {
  const std::string type = known_type(context);
  context.tenant();
  const Validated valid = validate(users_schema(), context.body_object());
  if (!valid.errors.is_null()) report_list_parameters(valid.errors);
  std::vector<std::string> users;
  for (const Json& user : valid.value.get("users").items()) users.emplace_back(user.get("uuid").text());
  set_methods(context, users, type);
  return Response::no_content();
}

}  // namespace

void add_idp_routes(Router& router) {
  const std::string users = "/idp/<idp_type>/users", one = users + "/<user_uuid>";
  const std::string access = "auth.idp.{idp_type}.users.";
  router.add({"GET", "/idp", "auth.idp.read", "idp", list_types, Mode::read_only});
  router.add({"PUT", users, access + "update", "idp", put_users});
  router.add({"PUT", one, access + "{user_uuid}.create", "idp", put_user});
  router.add({"DELETE", one, access + "{user_uuid}.delete", "idp", delete_user});
}

}  // namespace wazoauth
