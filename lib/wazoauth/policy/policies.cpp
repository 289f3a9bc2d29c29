#include <algorithm>

#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/policy/routes.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/rest/slug.h"

namespace wazoauth {

namespace {

std::vector<Field> fields(bool for_creation) {
  std::vector<Field> all = {{.name = "name", .required = true, .min_length = 1, .max_length = 80}};
  if (for_creation) all.push_back(slug_field(long_slug));
  all.push_back({.name = "description", .nullable = true, .fallback = Json()});
  all.push_back({.name = "acl",
                 .type = Type::list,
                 .fallback = Json::array(),
                 .item = std::make_shared<const Field>(Field{.name = "access"})});
  if (for_creation) all.push_back({.name = "shared", .type = Type::boolean, .fallback = Json(false)});
  return all;
}

struct Body {
  Json json;
  std::string name;
  std::optional<std::string> description;
  std::vector<std::string> acl;
};

Body valid_body(const Context& context, const Schema& schema) {
  const Validated valid = validate(schema, context.body_object());
  if (!valid.errors.is_null()) report_field(valid.errors);
  Body body{valid.value, std::string(valid.value.get("name").text()), std::nullopt, {}};
  if (valid.value.get("description").is_string()) body.description = valid.value.get("description").text();
  for (const Json& access : valid.value.get("acl").items()) body.acl.emplace_back(access.text());
  return body;
}

Problem name_taken(const std::string& name) {
  return Problem::r_form(409, "Policy \"" + name + "\" already exists");
}

// An access that is too long for its unique index is refused by PostgreSQL only.
template <typename Work>
void with_storable_accesses(Work work) {
  try {
    work();
  } catch (const BadValue&) {
    throw Problem::r_form(400, "Invalid value supplied for field: acl");
  }
}

Step list_policies(Context& context) {
  static const ListSpec spec{
      {"name", "slug", "description", "uuid"}, "name", {"read_only"}, {{.name = "read_only", .type = Type::boolean}}};
  const Request& request = context.request;
  const ListQuery query = parse_list(request, spec);
  const Json read_only = query.filters.get("read_only");
  const std::vector<Param> params = {context.tenant(),
                                     query.recurse,
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     filter_of(request, "name"),
                                     filter_of(request, "slug"),
                                     filter_of(request, "user_uuid"),
                                     filter_of(request, "group_uuid"),
                                     filter_of(request, "tenant_uuid"),
                                     read_only.is_null() ? Param(nullptr) : Param(read_only.boolean()),
                                     query.limit,
                                     query.offset};
  const Rows rows = context.db().run("policies.page", params, sort_variants(query));
  return Response::json(Json::object({{"items", page_items(rows, policy_json)}, {"total", rows.integer(0, "total")}}));
}

Step create_policy(Context& context) {
  static const Schema schema{fields(true), {}};
  const Body body = valid_body(context, schema);
  const std::string& tenant = context.tenant();
  require_may_add(context, body.acl);
  UnitOfWork& unit = context.db();
  unit.run("policies.lock_names");
  const std::string slug = slug_of(body.json, long_slug, [&](const std::string& candidate) {
    return unit.run("policies.slug_taken", {tenant, candidate}).boolean(0, "taken");
  });
  const bool shared = body.json.get("shared").boolean();
  if (unit.run("policies.shared_name_taken", {tenant, body.name, slug, shared}).boolean(0, "taken"))
    throw name_taken(body.name);
  std::string uuid;
  try {
    uuid = unit.run("policies.create", {body.name, slug, body.description, tenant, false, shared}).text(0, "uuid");
  } catch (const ConstraintViolation& e) {
    if (e.unique()) throw name_taken(body.name);
    if (e.foreign_key()) throw problems::unauthorized_tenant(tenant);  // it was deleted a moment ago
    throw;
  }
  with_storable_accesses([&] { add_accesses(unit, uuid, body.acl); });
  return Response::json(policy_json(unit.run("policies.get", {uuid}), 0));
}

Step get_policy(Context& context) {
  return Response::json(policy_json(visible_policy(context), 0));
}

// Visible but somebody else's: managed by the configuration, or shared by a tenant above.
void refuse_read_only(const Rows& policy) {
  if (policy.boolean(0, "read_only"))
    throw Problem::r_form(403, "Forbidden policy deletion: \"" + policy.text(0, "uuid") + "\"");
}

// Nobody else can change its accesses any more: what is checked is what changes.
Rows lock_policy(UnitOfWork& unit, const std::string& uuid) {
  unit.run("policies.lock", {uuid});
  Rows policy = unit.run("policies.get", {uuid});
  if (policy.empty()) throw unknown_policy(uuid);
  return policy;
}

Step update_policy(Context& context) {
  static const Schema schema{fields(false), {}};
  context.tenant();
  if (names_policy_by_slug(context)) visible_policy(context);
  const Body body = valid_body(context, schema);
  require_may_add(context, body.acl);
  const Rows policy = visible_policy(context);
  const std::string uuid = policy.text(0, "uuid");
  UnitOfWork& unit = context.db();
  std::vector<std::string> dropped;
  for (const std::string& access : accesses_of(lock_policy(unit, uuid), 0)) {
    if (std::find(body.acl.begin(), body.acl.end(), access) == body.acl.end()) dropped.push_back(access);
  }
  require_may_remove(context, dropped);
  refuse_read_only(policy);
  try {
    unit.run("policies.update", {uuid, body.name, body.description});
  } catch (const ConstraintViolation& e) {
    if (e.unique()) throw name_taken(body.name);
    throw;
  }
  with_storable_accesses([&] { set_accesses(unit, uuid, body.acl); });
  return Response::json(policy_json(unit.run("policies.get", {uuid}), 0));
}

Step delete_policy(Context& context) {
  const Rows policy = visible_policy(context);
  const std::string uuid = policy.text(0, "uuid");
  require_may_remove(context, accesses_of(lock_policy(context.db(), uuid), 0));
  refuse_read_only(policy);
  context.db().run("policies.delete", {uuid});
  return Response::no_content();
}

// With a slug the policy comes first, with a uuid the right to change it.
template <typename Check>
Rows policy_of_access(Context& context, Check check) {
  context.tenant();
  if (names_policy_by_slug(context)) visible_policy(context);
  check();
  Rows policy = visible_policy(context);
  refuse_read_only(policy);
  return policy;
}

Step add_access(Context& context) {
  const std::string& access = context.param("access");
  const Rows policy = policy_of_access(context, [&] { require_may_add(context, {access}); });
  const std::string uuid = policy.text(0, "uuid");
  std::size_t added = 0;
  try {
    with_storable_accesses([&] { added = add_accesses(context.db(), uuid, {access}); });
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw unknown_policy(uuid);
    throw;
  }
  if (added == 0) throw Problem::r_form(409, "Policy already associated to " + access);
  return Response::no_content();
}

Step remove_access(Context& context) {
  const std::string& access = context.param("access");
  const Rows policy = policy_of_access(context, [&] { require_may_remove(context, {access}); });
  with_storable_accesses([&] { context.db().run("policies.remove_access", {policy.text(0, "uuid"), access}); });
  return Response::no_content();
}

}  // namespace

void add_policy_routes(Router& router) {
  router.add({"GET", "/policies", "auth.policies.read", "policies", list_policies, Mode::read_only});
  router.add({"POST", "/policies", "auth.policies.create", "policies", create_policy});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    const std::string one = "/policies/<" + key + ">";
    const std::string access = "auth.policies.{" + key + "}.";
    router.add({"GET", one, access + "read", "policies", get_policy, Mode::read_only});
    router.add({"PUT", one, access + "update", "policies", update_policy});
    router.add({"DELETE", one, access + "delete", "policies", delete_policy});
    router.add({"PUT", one + "/acl/<access>", access + "update", "policies", add_access});
    router.add({"DELETE", one + "/acl/<access>", access + "update", "policies", remove_access});
  }
}

}  // namespace wazoauth
