#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/tenant/tree.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

Response answer(Json items, std::int64_t total, std::int64_t filtered) {
  return Response::json(Json::object({{"items", std::move(items)}, {"total", total}, {"filtered", filtered}}));
}

// A user who isn't there, or isn't the caller's to see, has no policies: that is all this operation tells.
Step list_user_policies(Context& context) {
  static const ListSpec spec{{"name", "description", "uuid"}, "name", {}, {}};
  const Request& request = context.request;
  const ListQuery query = parse_list(request, spec);
  const std::string& uuid = context.param("user_uuid");
  if (context.db().run("users.visible", {uuid, caller_tenant(context)}).empty()) return answer(Json::array(), 0, 0);
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
  return answer(page_items(rows, policy_json), rows.integer(0, "total"), rows.integer(0, "filtered"));
}

Step add_user_policy(Context& context) {
  const Rows policy = visible_policy(context);
  require_may_add(context, accesses_of(policy, 0));
  const std::string& user_uuid = context.param("user_uuid");
  const std::string policy_uuid = policy.text(0, "uuid");
  visible_user(context.db(), user_uuid, context.tenant());
  try {
    context.db().run("users.add_policy", {user_uuid, policy_uuid});
  } catch (const ConstraintViolation& e) {
    if (e.constraint == "auth_user_policy_user_uuid_fkey") throw problems::unknown("user", user_uuid);
    if (e.foreign_key()) throw unknown_policy(policy_uuid);
    throw;
  }
  return Response::no_content();
}

Step remove_user_policy(Context& context) {
  const Rows policy = visible_policy(context);
  require_may_remove(context, accesses_of(policy, 0));
  const std::string& user_uuid = context.param("user_uuid");
  visible_user(context.db(), user_uuid, context.tenant());
  context.db().run("users.remove_policy", {user_uuid, policy.text(0, "uuid")});
  return Response::no_content();
}

}  // namespace

void add_user_policy_routes(Router& router) {
  const std::string all = "/users/<user_uuid>/policies";
  router.add({"GET", all, "auth.users.{user_uuid}.policies.read", "user_policy", list_user_policies, Mode::read_only});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    const std::string one = all + "/<" + key + ">";
    const std::string access = "auth.users.{user_uuid}.policies.{" + key + "}.";
    router.add({"PUT", one, access + "create", "user_policy", add_user_policy});
    router.add({"DELETE", one, access + "delete", "user_policy", remove_user_policy});
  }
}

}  // namespace wazoauth
