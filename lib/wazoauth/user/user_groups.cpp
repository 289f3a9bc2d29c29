#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/user/user_membership.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

// A group that isn't there, or isn't the caller's to see, has no members: that is all this operation tells.
Step list_members(Context& context) {
  const ListQuery query = context.list_query();
  const std::string& group = context.param("group_uuid");
  const std::string tenant = context.caller_tenant();
  if (context.db().run("groups.visible", {group, tenant}).empty()) return empty_list();
  return list_of_users(context, query, {tenant, true, group});
}

Step list_groups_of_user(Context& context) {
  const std::string& uuid = context.param("user_uuid");
  visible_user(context.db(), uuid, context.tenant());
  const ListQuery query = context.list_query();
  ListStatement statement("groups", "g", "g.tenant_uuid", query);
  statement.scoped("groups.of_user", uuid).filtered_by_columns(context);
  return statement.answer(context, *group_shape());
}

Step add_member(Context& context) {
  const std::string& user_uuid = context.param("user_uuid");
  const Rows user = visible_user(context.db(), user_uuid, context.tenant());
  const Rows group = visible_group(context);
  const std::string user_tenant = user.text(0, "tenant_uuid"), group_tenant = group.text(0, "tenant_uuid");
  if (user_tenant != group_tenant)
    throw Problem::with_error_id(400, "missmatching-tenant", "Ressources are not in the same tenant",
                                 Json::object({{"user_tenant_uuid", user_tenant}, {"group_tenant_uuid", group_tenant}}),
                                 "groups");
  add_to_group(context.db(), user_uuid, group);
  return Response::no_content();
}

Step remove_member(Context& context) {
  // A user of any tenant: what is taken away needn't be visible.
  remove_from_group(context.db(), context.param("user_uuid"), visible_group(context));
  return Response::no_content();
}

}  // namespace

void add_to_group(UnitOfWork& unit, const std::string& user_uuid, const Rows& group) {
  refuse_system_group(group);
  const std::string group_uuid = group.text(0, "uuid");
  try {
    unit.run("groups.add_user", {group_uuid, user_uuid});
  } catch (const ConstraintViolation& e) {
    if (e.constraint == "auth_user_group_user_uuid_fkey") throw problems::unknown("user", user_uuid);
    if (e.foreign_key()) throw problems::unknown("group", group_uuid);
    throw;
  }
}

void remove_from_group(UnitOfWork& unit, const std::string& user_uuid, const Rows& group) {
  refuse_system_group(group);
  if (unit.run("groups.remove_user", {group.text(0, "uuid"), user_uuid}).affected() == 0 &&
      !unit.run("users.exists", {user_uuid}).boolean(0, "exists"))
    throw problems::unknown("user", user_uuid);
}

void add_group_member_routes(Router& router) {
  using namespace failures;
  const std::string all = "/groups/<group_uuid>/users", one = all + "/<user_uuid>";
  const std::string access = "auth.groups.{group_uuid}.users.";
  std::vector<std::string> columns = user_columns();
  columns.pop_back();  // group_uuid
  RouteFamily family(router, {.plugin = "user_group", .tenancy = Tenancy::scoped});
  family.add(
      {.method = "GET",
       .path = all,
       .access = access + "read",
       .handler = list_members,
       .mode = Mode::read_only,
       .tenancy = Tenancy::caller,
       .summary = "List the members of a group",
       .list = listed(
           {.sort_columns = {"username"}, .default_order = "username", .columns = columns, .owner = "group_uuid"}),
       .answer = list_answer(user_shape())});
  family.add({.method = "PUT",
              .path = one,
              .access = access + "{user_uuid}.create",
              .handler = add_member,
              .summary = "Add a user to a group",
              .failures = {unknown_group, {400, ErrorForm::error_id, "missmatching-tenant"}, forbidden_group}});
  family.add({.method = "DELETE",
              .path = one,
              .access = access + "{user_uuid}.delete",
              .handler = remove_member,
              .summary = "Remove a user from a group",
              .failures = {unknown_group, forbidden_group}});
  family.add({.method = "GET",
              .path = "/users/<user_uuid>/groups",
              .access = "auth.users.{user_uuid}.groups.read",
              .handler = list_groups_of_user,
              .mode = Mode::read_only,
              .summary = "List the groups of a user",
              .list = listed({.sort_columns = {"name", "uuid"},
                              .default_order = "name",
                              .columns = {"uuid", "name"},
                              .owner = "user_uuid"}),
              .answer = list_answer(group_shape())});
}

}  // namespace wazoauth
