#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_membership.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

// A user who isn't there, or isn't the caller's to see, has no policies: that is all this operation tells.
Step list_user_policies(Context& context) {
  const Request& request = context.request;
  const ListQuery query = context.list_query();
  const std::string& uuid = context.param("user_uuid");
  if (context.db().run("users.visible", {uuid, context.caller_tenant()}).empty()) return empty_list();
  std::vector<Variant> variants = sort_variants(query);
  variants.emplace_back("table", "auth_user_policy");
  variants.emplace_back("owner", "user_uuid");
  const std::vector<Param> params = {uuid,
                                     nullptr,
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     filter_of(request, "name"),
                                     filter_of(request, "tenant_uuid"),
                                     nullptr,
                                     filter_of(request, "group_uuid"),
                                     query.limit,
                                     query.offset};
  const Rows rows = context.db().run("policies.attached_page", params, variants);
  return list_response(rows, *policy_shape());
}

Step add_user_policy(Context& context) {
  attach_policy(context, context.param("user_uuid"), visible_policy(context));
  return Response::no_content();
}

Step remove_user_policy(Context& context) {
  detach_policy(context, context.param("user_uuid"), visible_policy(context));
  return Response::no_content();
}

}  // namespace

void attach_policy(Context& context, const std::string& user_uuid, const Rows& policy) {
  require_may_add(context, accesses_of(policy, 0));
  const std::string policy_uuid = policy.text(0, "uuid");
  visible_user(context.db(), user_uuid, context.tenant());
  try {
    context.db().run("users.add_policy", {user_uuid, policy_uuid});
  } catch (const ConstraintViolation& e) {
    if (e.constraint == "auth_user_policy_user_uuid_fkey") throw problems::unknown("user", user_uuid);
    if (e.foreign_key()) throw unknown_policy(policy_uuid);
    throw;
  }
}

void detach_policy(Context& context, const std::string& user_uuid, const Rows& policy) {
  require_may_remove(context, accesses_of(policy, 0));
  visible_user(context.db(), user_uuid, context.tenant());
  context.db().run("users.remove_policy", {user_uuid, policy.text(0, "uuid")});
}

void add_user_policy_routes(Router& router) {
  using namespace failures;
  const std::string all = "/users/<user_uuid>/policies", access = "auth.users.{user_uuid}.policies.";
  RouteFamily family(router, {.plugin = "user_policy", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = all,
              .access = access + "read",
              .handler = list_user_policies,
              .mode = Mode::read_only,
              .tenancy = Tenancy::caller,
              .summary = "List the policies of a user",
              .list = listed({.sort_columns = {"name", "description", "uuid"},
                              .default_order = "name",
                              .columns = {"uuid", "name", "tenant_uuid", "group_uuid"},
                              .owner = "user_uuid"}),
              .answer = list_answer(policy_shape())});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    family.add({.method = "PUT",
                .path = all + "/<" + key + ">",
                .access = access + "{" + key + "}.create",
                .handler = add_user_policy,
                .summary = "Attach a policy to a user",
                .failures = {no_such_policy, forbidden_access}});
    family.add({.method = "DELETE",
                .path = all + "/<" + key + ">",
                .access = access + "{" + key + "}.delete",
                .handler = remove_user_policy,
                .summary = "Detach a policy from a user",
                .failures = {no_such_policy, forbidden_access}});
  }
}

}  // namespace wazoauth
