#include "wazoauth/policy/policy_rows.h"

#include "wazoauth/base/uuid.h"

namespace wazoauth {

const std::shared_ptr<const Schema>& policy_shape() {
  static const auto policy = shape("Policy", {{.name = "uuid", .type = Type::uuid},
                                              {.name = "tenant_uuid", .type = Type::uuid},
                                              {.name = "name"},
                                              {.name = "slug"},
                                              {.name = "description", .nullable = true},
                                              list_of({}, "acl"),
                                              {.name = "read_only", .type = Type::boolean},
                                              {.name = "shared", .type = Type::boolean}});
  return policy;
}

std::vector<std::string> accesses_of(const Rows& rows, std::size_t row) {
  std::vector<std::string> accesses;
  for (const Json& access : rows.json(row, "acl").items()) accesses.emplace_back(access.text());
  return accesses;
}

bool names_policy_by_slug(const Context& context) {
  return context.route.path.find("<policy_slug>") != std::string::npos;
}

namespace {
Rows find_policy(Context& context, const std::string& key, bool by_slug, bool deep) {
  const std::string column = by_slug ? "slug" : "uuid";
  const std::string& tenant = context.tenant();
  const auto unknown = [&] {
    return Problem::with_reason(404, "No such policy " + python_literal(Json::object({{column, key}})));
  };
  if (key.find('\0') != std::string::npos) throw unknown();
  Rows rows = context.db().run("policies.visible", {tenant, deep, key}, {{"key", column}});
  if (rows.empty()) throw unknown();
  return rows;
}
}  // namespace

Rows visible_policy(Context& context) {
  const bool by_slug = names_policy_by_slug(context);
  return find_policy(context, context.param(by_slug ? "policy_slug" : "policy_uuid"), by_slug, !by_slug);
}

Rows visible_policy(Context& context, const std::string& uuid) {
  return find_policy(context, uuid, false, true);
}

Rows policy_of_tenant(Context& context, const std::string& name) {
  return is_uuid(name) ? find_policy(context, *canonical_uuid(name), false, false)
                       : find_policy(context, name, true, false);
}

Problem unknown_policy(std::string_view uuid) {
  return Problem::with_reason(404, "No such policy " + std::string(uuid));
}

void require_may_add(const Context& context, const std::vector<std::string>& accesses) {
  for (const std::string& access : accesses) {
    if (!context.may_add(access)) context.refuse_access(access);
  }
}

void require_may_remove(const Context& context, const std::vector<std::string>& accesses) {
  for (const std::string& access : accesses) {
    if (!context.may_remove(access)) context.refuse_access(access);
  }
}

std::size_t add_accesses(UnitOfWork& unit, const std::string& policy_uuid, const std::vector<std::string>& accesses) {
  if (accesses.empty()) return 0;
  // Two statements: the second one also sees what others inserted while the first one waited for them.
  unit.run("policies.make_accesses", {Param(accesses)});
  return unit.run("policies.add_accesses", {policy_uuid, Param(accesses)}).affected();
}

void set_accesses(UnitOfWork& unit, const std::string& policy_uuid, const std::vector<std::string>& accesses) {
  unit.run("policies.clear_accesses", {policy_uuid, Param(accesses)});
  add_accesses(unit, policy_uuid, accesses);
}

}  // namespace wazoauth
