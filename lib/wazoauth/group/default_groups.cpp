#include "wazoauth/group/default_groups.h"

#include "wazoauth/base/log.h"

namespace wazoauth {

namespace {

std::optional<std::string> policy_by_slug(UnitOfWork& unit, const std::string& slug) {
  const Rows rows = unit.run("seed.policy_by_slug", {slug});
  if (rows.empty()) return std::nullopt;
  return rows.text(0, "uuid");
}

void ensure_group(UnitOfWork& unit, const std::optional<std::string>& tenant_uuid, const DefaultGroup& group) {
  unit.run("seed.make_default_groups", {tenant_uuid, group.slug});
  unit.run("seed.rename_default_groups", {tenant_uuid, group.slug});
  const Rows without = unit.run("seed.tenants_without_default_group", {tenant_uuid, group.slug});
  for (std::size_t i = 0; i < without.size(); ++i)
    log::warning("Tenant " + without.text(i, "uuid") + ": another group has the name of default group \"" + group.slug +
                 "\"");
  for (const auto& [slug, attached] : group.policies) {
    if (!attached) {
      unit.run("seed.detach_from_default_groups", {tenant_uuid, group.slug, slug});
    } else if (const auto policy = policy_by_slug(unit, slug)) {
      unit.run("seed.attach_to_default_groups", {tenant_uuid, group.slug, *policy, slug});
    } else {
      log::error("tenant_default_groups: no policy \"" + slug + "\" for group \"" + group.slug + "\", skipped");
    }
  }
}

}  // namespace

void ensure_all_users_group(UnitOfWork& unit, const Settings& settings, const std::optional<std::string>& tenant_uuid,
                            bool new_tenant) {
  const Rows made = unit.run("seed.make_all_users_groups", {tenant_uuid});
  for (std::size_t i = 0; i < made.size() && !new_tenant; ++i)
    log::warning("Tenant " + made.text(i, "tenant_uuid") + " had no all-users group: made");
  for (const auto& [slug, attached] : settings.all_users_policies) {
    if (!attached) continue;
    if (const auto policy = policy_by_slug(unit, slug))
      unit.run("seed.attach_to_all_users", {tenant_uuid, *policy});
    else
      log::error("all_users_policies: no policy \"" + slug + "\", skipped");
  }
}

void ensure_configured_groups(UnitOfWork& unit, const Settings& settings,
                              const std::optional<std::string>& tenant_uuid) {
  for (const DefaultGroup& group : settings.tenant_default_groups) ensure_group(unit, tenant_uuid, group);
}

void ensure_default_groups(UnitOfWork& unit, const Settings& settings, const std::string& new_tenant_uuid) {
  ensure_all_users_group(unit, settings, new_tenant_uuid, true);
  ensure_configured_groups(unit, settings, new_tenant_uuid);
}

}  // namespace wazoauth
