#include <algorithm>

#include "wazoauth/http/slug.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/policy/routes.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

Schema policy_body(bool for_creation) {
  Schema schema;
  schema.name = for_creation ? "NewPolicy" : "ChangedPolicy";
  std::vector<Field>& all = schema.fields;
  all = {{.name = "name", .required = true, .min_length = 1, .max_length = 80}};
  if (for_creation) all.push_back(slug_field(long_slug));
  all.push_back({.name = "description", .nullable = true, .fallback = Json()});
  all.push_back({.name = "acl",
                 .type = Type::list,
                 .fallback = Json::array(),
                 .item = std::make_shared<const Field>(Field{.name = "access"})});
  if (for_creation) all.push_back({.name = "shared", .type = Type::boolean, .fallback = Json(false)});
  return schema;
}

struct Body {
  Json json;
  std::string name;
  std::optional<std::string> description;
  std::vector<std::string> acl;
};

Body read_body(const Context& context) {
  Body body;
  body.json = context.valid_body();
  const Json& valid = body.json;
  body.name = valid.get("name").text();
  if (valid.get("description").is_string()) body.description = valid.get("description").text();
  for (const Json& access : valid.get("acl").items()) body.acl.emplace_back(access.text());
  return body;
}

Problem name_taken(const std::string& name) {
  return Problem::with_reason(409, "Policy \"" + name + "\" already exists");
}

// An access that is too long for its unique index is refused by PostgreSQL only.
template <typename Work>
void with_storable_accesses(Work work) {
  try {
    work();
  } catch (const BadValue&) {
    throw Problem::with_reason(400, "Invalid value supplied for field: acl");
  }
}

Step list_policies(Context& context) {
  const ListQuery query = context.list_query();
  const std::string& tenant = context.tenant();
  ListStatement statement("policies", "p", "p.tenant_uuid", query);
  statement.of_tenant(context, tenant, query.recurse).widened("policies.visible_to", tenant);
  statement.with("asking", "?::text", tenant).filtered_by_columns(context);
  const Json& read_only = query.filters.get("read_only");
  if (!read_only.is_null())
    statement.filtered(read_only.boolean() ? "policies.by.read_only" : "policies.by.not_read_only", nullptr);
  return statement.items(context, *policy_shape());
}

Step create_policy(Context& context) {
  const Body body = read_body(context);
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
  return row_response(unit.run("policies.get", {uuid}), *policy_shape());
}

Step get_policy(Context& context) {
  return row_response(visible_policy(context), *policy_shape());
}

// Visible but not the tenant's own: managed by the configuration, or shared by a tenant above.
void refuse_read_only(const Rows& policy) {
  if (policy.boolean(0, "read_only"))
    throw Problem::with_reason(403, "Forbidden policy deletion: \"" + policy.text(0, "uuid") + "\"");
}

// Nobody else can change its accesses any more: what is checked is what changes.
Rows lock_policy(UnitOfWork& unit, const std::string& uuid) {
  unit.run("policies.lock", {uuid});
  Rows policy = unit.run("policies.get", {uuid});
  if (policy.empty()) throw unknown_policy(uuid);
  return policy;
}

Step update_policy(Context& context) {
  context.tenant();
  if (names_policy_by_slug(context)) visible_policy(context);
  const Body body = read_body(context);
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
  return row_response(unit.run("policies.get", {uuid}), *policy_shape());
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
  if (added == 0) throw Problem::with_reason(409, "Policy already associated to " + access);
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
  using namespace failures;
  const std::shared_ptr<const Schema> policy_list =
      shape("PolicyList", {list_of(object_of(policy_shape()), "items"), {.name = "total", .type = Type::integer}});
  RouteFamily family(router, {.plugin = "policies", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/policies",
              .access = "auth.policies.read",
              .handler = list_policies,
              .mode = Mode::read_only,
              .summary = "List policies",
              .list = listed({{"name", "slug", "description", "uuid"},
                              "name",
                              {"read_only"},
                              {{.name = "read_only", .type = Type::boolean}},
                              {"uuid", "name", "slug", "user_uuid", "group_uuid", "tenant_uuid"}}),
              .answer = object_of(policy_list)});
  family.add({.method = "POST",
              .path = "/policies",
              .access = "auth.policies.create",
              .handler = create_policy,
              .summary = "Create a policy",
              .body = takes(policy_body(true), Report::field),
              .answer = object_of(policy_shape()),
              .failures = {forbidden_access, taken}});
  for (const std::string key : {"policy_uuid", "policy_slug"}) {
    const std::string one = "/policies/<" + key + ">", access = "auth.policies.{" + key + "}.";
    family.add({.method = "GET",
                .path = one,
                .access = access + "read",
                .handler = get_policy,
                .mode = Mode::read_only,
                .summary = "Get a policy",
                .answer = object_of(policy_shape()),
                .failures = {no_such_policy}});
    family.add({.method = "PUT",
                .path = one,
                .access = access + "update",
                .handler = update_policy,
                .summary = "Replace a policy's name, description and accesses",
                .body = takes(policy_body(false), Report::field),
                .answer = object_of(policy_shape()),
                .failures = {no_such_policy, forbidden_access, read_only_policy, taken}});
    family.add({.method = "DELETE",
                .path = one,
                .access = access + "delete",
                .handler = delete_policy,
                .summary = "Delete a policy",
                .failures = {no_such_policy, forbidden_access, read_only_policy}});
    family.add({.method = "PUT",
                .path = one + "/acl/<access>",
                .access = access + "update",
                .handler = add_access,
                .summary = "Add an access to a policy",
                .failures = {no_such_policy,
                             forbidden_access,
                             read_only_policy,
                             {400, ErrorForm::reason, "Invalid value supplied for field: acl"},
                             {409, ErrorForm::reason, "Policy already associated"}}});
    family.add({.method = "DELETE",
                .path = one + "/acl/<access>",
                .access = access + "update",
                .handler = remove_access,
                .summary = "Take an access out of a policy",
                .failures = {no_such_policy,
                             forbidden_access,
                             read_only_policy,
                             {400, ErrorForm::reason, "Invalid value supplied for field: acl"}}});
  }
}

}  // namespace wazoauth
