#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

Step list_group_policies(Context& context) {
  const Request& request = context.request;
  visible_group(context);
  const ListQuery query = context.list_query();
  std::vector<Variant> variants = sort_variants(query);
  variants.emplace_back("table", "auth_group_policy");
  variants.emplace_back("owner", "group_uuid");
  const std::vector<Param> params = {context.param("group_uuid"),
                                     context.tenant(),
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     filter_of(request, "name"),
                                     filter_of(request, "tenant_uuid"),
                                     filter_of(request, "user_uuid"),
                                     nullptr,
                                     query.limit,
                                     query.offset};
  const Rows rows = context.db().run("policies.attached_page", params, variants);
  return list_response(rows, *policy_shape());
}

// By slug the policy comes first (as the scoping tenant alone sees it), by uuid the group.
Rows policy_for_group(Context& context) {
  context.tenant();
  if (names_policy_by_slug(context)) visible_policy(context);
  visible_group(context);
  return visible_policy(context);
}

Step add_group_policy(Context& context) {
  const Rows policy = policy_for_group(context);
  require_may_add(context, accesses_of(policy, 0));
  const std::string& group = context.param("group_uuid");
  try {
    context.db().run("groups.add_policy", {group, policy.text(0, "uuid")});
  } catch (const ConstraintViolation& e) {
    if (e.constraint == "auth_group_policy_group_uuid_fkey") throw problems::unknown("group", group);
    if (e.foreign_key()) throw unknown_policy(policy.text(0, "uuid"));
    throw;
  }
  return Response::no_content();
}

Step remove_group_policy(Context& context) {
  const Rows policy = policy_for_group(context);
  require_may_remove(context, accesses_of(policy, 0));
  context.db().run("groups.remove_policy", {context.param("group_uuid"), policy.text(0, "uuid")});
  return Response::no_content();
}

}  // namespace

void add_group_policy_routes(Router& router) {
  using namespace failures;
  const std::string all = "/groups/<group_uuid>/policies", access = "auth.groups.{group_uuid}.policies.";
  RouteFamily family(router, {.plugin = "group_policy", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = all,
              .access = access + "read",
              .handler = list_group_policies,
              .mode = Mode::read_only,
              .summary = "List the policies of a group",
              .list = listed({.sort_columns = {"name", "description", "uuid"},
                              .default_order = "name",
                              .columns = {"uuid", "name", "tenant_uuid", "user_uuid"},
                              .owner = "group_uuid"}),
              .answer = list_answer(policy_shape()),
              .failures = {unknown_group}});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    family.add({.method = "PUT",
                .path = all + "/<" + key + ">",
                .access = access + "{" + key + "}.create",
                .handler = add_group_policy,
                .summary = "Attach a policy to a group",
                .failures = {unknown_group, no_such_policy, forbidden_access}});
    family.add({.method = "DELETE",
                .path = all + "/<" + key + ">",
                .access = access + "{" + key + "}.delete",
                .handler = remove_group_policy,
                .summary = "Detach a policy from a group",
                .failures = {unknown_group, no_such_policy, forbidden_access}});
  }
}

}  // namespace wazoauth
