#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/tenant/tree.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

Response answer(const Rows& rows, const RowToJson& to_json) {
  return Response::json(Json::object({{"items", page_items(rows, to_json)},
                                      {"total", rows.integer(0, "total")},
                                      {"filtered", rows.integer(0, "filtered")}}));
}

Response empty_answer() {
  return Response::json(Json::object({{"items", Json::array()}, {"total", 0}, {"filtered", 0}}));
}

// A group that isn't there, or isn't the caller's to see, has no members: that is all this operation tells.
Step list_members(Context& context) {
  static const ListSpec spec{{"username"}, "username", {}, {}};
  const ListQuery query = parse_list(context.request, spec);
  const std::string& group = context.param("group_uuid");
  const std::string tenant = caller_tenant(context);
  if (context.db().run("groups.visible", {group, tenant}).empty()) return empty_answer();
  return answer(page_of_users(context, query, {tenant, true, group}), user_json);
}

Step list_groups_of_user(Context& context) {
  static const ListSpec spec{{"name", "uuid"}, "name", {}, {}};
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  const ListQuery query = parse_list(context.request, spec);
  const std::vector<Param> params = {context.tenant(),
                                     query.recurse,
                                     query.search_pattern,
                                     filter_of(context.request, "uuid"),
                                     filter_of(context.request, "name"),
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     uuid,
                                     query.limit,
                                     query.offset};
  return answer(context.db().run("groups.page", params, sort_variants(query)), group_json);
}

Step add_member(Context& context) {
  const std::string& user_uuid = context.param("user_uuid");
  const Rows user = visible_user(context.db(), user_uuid, context.tenant());
  const Rows group = visible_group(context);
  const std::string user_tenant = user.text(0, "tenant_uuid"), group_tenant = group.text(0, "tenant_uuid");
  if (user_tenant != group_tenant)
    throw Problem::a_form(400, "missmatching-tenant", "Ressources are not in the same tenant",
                          Json::object({{"user_tenant_uuid", user_tenant}, {"group_tenant_uuid", group_tenant}}),
                          "groups");
  refuse_system_group(group);
  try {
    context.db().run("groups.add_user", {context.param("group_uuid"), user_uuid});
  } catch (const ConstraintViolation& e) {
    if (e.constraint == "auth_user_group_user_uuid_fkey") throw problems::unknown("user", user_uuid);
    if (e.foreign_key()) throw problems::unknown("group", context.param("group_uuid"));
    throw;
  }
  return Response::no_content();
}

Step remove_member(Context& context) {
  const std::string& user_uuid = context.param("user_uuid");
  refuse_system_group(visible_group(context));
  // A user of any tenant: what is taken away needn't be visible.
  if (context.db().run("groups.remove_user", {context.param("group_uuid"), user_uuid}).affected() == 0 &&
      !context.db().run("users.exists", {user_uuid}).boolean(0, "exists"))
    throw problems::unknown("user", user_uuid);
  return Response::no_content();
}

}  // namespace

void add_group_member_routes(Router& router) {
  const std::string all = "/groups/<group_uuid>/users";
  const std::string one = all + "/<user_uuid>";
  const std::string access = "auth.groups.{group_uuid}.users.";
  router.add({"GET", all, access + "read", "user_group", list_members, Mode::read_only});
  router.add({"PUT", one, access + "{user_uuid}.create", "user_group", add_member});
  router.add({"DELETE", one, access + "{user_uuid}.delete", "user_group", remove_member});
  router.add({"GET", "/users/<user_uuid>/groups", "auth.users.{user_uuid}.groups.read", "user_group",
              list_groups_of_user, Mode::read_only});
}

}  // namespace wazoauth
