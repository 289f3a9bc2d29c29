#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/page.h"

namespace wazoauth {

namespace {

Step list_group_policies(Context& context) {
  static const ListSpec spec{{"name", "description", "uuid"}, "name", {}, {}};
  const Request& request = context.request;
  visible_group(context);
  const ListQuery query = parse_list(request, spec);
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
  return Response::json(Json::object({{"items", page_items(rows, policy_json)},
                                      {"total", rows.integer(0, "total")},
                                      {"filtered", rows.integer(0, "filtered")}}));
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
  const std::string all = "/groups/<group_uuid>/policies";
  router.add(
      {"GET", all, "auth.groups.{group_uuid}.policies.read", "group_policy", list_group_policies, Mode::read_only});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    const std::string one = all + "/<" + key + ">";
    const std::string access = "auth.groups.{group_uuid}.policies.{" + key + "}.";
    router.add({"PUT", one, access + "create", "group_policy", add_group_policy});
    router.add({"DELETE", one, access + "delete", "group_policy", remove_group_policy});
  }
}

}  // namespace wazoauth
