#include "wazoauth/node/seed.h"

#include <map>
#include <set>
#include <stdexcept>

#include "wazoauth/base/log.h"
#include "wazoauth/group/default_groups.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/user/bootstrap.h"

namespace wazoauth {

namespace {

std::string master_tenant(UnitOfWork& unit) {
  const Rows rows = unit.run("context.master_tenant");
  if (rows.empty()) throw std::runtime_error("the database has no master tenant");
  return rows.text(0, "uuid");
}

void update_default_policy(UnitOfWork& unit, const std::string& tenant, const std::string& uuid,
                           const DefaultPolicy& policy) {
  if (unit.run("seed.name_taken", {tenant, policy.slug, uuid}).boolean(0, "taken")) {
    log::warning("default_policies: another policy has the name \"" + policy.slug + "\", not renamed");
    unit.run("seed.manage_policy", {uuid, policy.description});
  } else {
    unit.run("seed.update_policy", {uuid, policy.slug, policy.description});
  }
  set_accesses(unit, uuid, policy.acl);
}

void create_default_policy(UnitOfWork& unit, const std::string& tenant, const DefaultPolicy& policy) {
  unit.run("policies.lock_names");
  if (unit.run("policies.shared_name_taken", {tenant, policy.slug, policy.slug, policy.shared}).boolean(0, "taken")) {
    log::error("default_policies: a policy with the name or slug \"" + policy.slug + "\" exists, skipped");
    return;
  }
  try {
    unit.savepoint([&] {
      const Rows made =
          unit.run("policies.create", {policy.slug, policy.slug, policy.description, tenant, true, policy.shared});
      add_accesses(unit, made.text(0, "uuid"), policy.acl);
    });
  } catch (const ConstraintViolation& e) {
    if (!e.unique()) throw;
    log::error("default_policies: a policy with the name or slug \"" + policy.slug + "\" exists, skipped");
  }
}

bool is_as_configured(const Rows& known, std::size_t row, const DefaultPolicy& policy) {
  return known.text(row, "name") == policy.slug && known.text(row, "description") == policy.description &&
         known.boolean(row, "config_managed") && accesses_of(known, row) == policy.acl;
}

std::vector<std::string> default_slugs(const Settings& settings) {
  std::vector<std::string> slugs;
  for (const DefaultPolicy& policy : settings.default_policies) slugs.push_back(policy.slug);
  return slugs;
}

void seed_default_policies(UnitOfWork& unit, const Settings& settings, const std::string& tenant) {
  const Rows known = unit.run("seed.default_policies", {tenant, Param(default_slugs(settings))});
  std::map<std::string, std::size_t> rows;
  for (std::size_t i = 0; i < known.size(); ++i) rows.emplace(known.text(i, "slug"), i);
  for (const DefaultPolicy& policy : settings.default_policies) {
    const auto row = rows.find(policy.slug);
    if (row == rows.end()) {
      create_default_policy(unit, tenant, policy);
      continue;
    }
    if (policy.shared)
      log::warning("default_policies: \"" + policy.slug + "\" exists, `shared` only counts when it is created");
    if (!is_as_configured(known, row->second, policy))
      update_default_policy(unit, tenant, known.text(row->second, "uuid"), policy);
  }
}

std::vector<std::string> all_users_slugs(const Settings& settings, bool attached_only) {
  std::vector<std::string> slugs;
  for (const auto& [slug, attached] : settings.all_users_policies) {
    if (attached || !attached_only) slugs.push_back(slug);
  }
  return slugs;
}

bool tenants_are_seeded(UnitOfWork& unit, const Settings& settings, const std::string& master) {
  std::vector<std::string> groups, group_of, policies, attached;
  for (const DefaultGroup& group : settings.tenant_default_groups) {
    groups.push_back(group.slug);
    for (const auto& [slug, is_attached] : group.policies) {
      group_of.push_back(group.slug);
      policies.push_back(slug);
      attached.emplace_back(is_attached ? "true" : "false");
    }
  }
  return unit
      .run("seed.is_done", {master, Param(all_users_slugs(settings, true)), Param(all_users_slugs(settings, false)),
                            Param(groups), Param(group_of), Param(policies), Param(attached)})
      .boolean(0, "done");
}

void delete_orphans(UnitOfWork& unit, const Settings& settings) {
  const Param slugs(default_slugs(settings));
  const Rows gone = unit.run("seed.delete_orphans", {slugs});
  for (std::size_t i = 0; i < gone.size(); ++i)
    log::info("default_policies: policy \"" + gone.text(i, "slug") + "\" is no longer configured: deleted");
  const Rows kept = unit.run("seed.orphans", {slugs});
  for (std::size_t i = 0; i < kept.size(); ++i)
    log::warning("default_policies: policy \"" + kept.text(i, "slug") +
                 "\" is no longer configured but attached: kept");
}

void seed_tenants(UnitOfWork& unit, const Settings& settings) {
  ensure_all_users_group(unit, settings, std::nullopt);
  unit.run("seed.detach_from_all_users", {Param(all_users_slugs(settings, false))});
  ensure_configured_groups(unit, settings, std::nullopt);
  delete_orphans(unit, settings);
}

// False: the tenants are left. They were seeded before, as far as the master tenant shows.
bool seed_policies(Database& database, const Settings& settings) {
  UnitOfWork unit(database);
  unit.run("seed.lock");
  const std::string master = master_tenant(unit);
  seed_default_policies(unit, settings, master);
  const bool seeded = tenants_are_seeded(unit, settings, master);
  if (!seeded) seed_tenants(unit, settings);
  unit.commit();
  return !seeded;
}

void seed_left_tenants(Database& database, const Settings& settings) {
  UnitOfWork unit(database);
  unit.run("seed.lock");
  seed_tenants(unit, settings);
  unit.commit();
}

void ensure_bootstrap_user(Database& database, const Settings& settings) {
  const auto ensure = [&] {
    create_initial_user(database, *settings.bootstrap_user_username, *settings.bootstrap_user_password,
                        settings.bootstrap_user_purpose, settings.bootstrap_user_policy_slug);
  };
  try {
    ensure();
  } catch (const ConstraintViolation&) {
    // Another node was faster: now the user exists and its password is compared.
    ensure();
  }
}

// False: somebody has that login. Whether the password is the right one takes a while, and nobody waits for it.
bool create_bootstrap_user(Database& database, const Settings& settings) {
  if (!settings.bootstrap_user_username || !settings.bootstrap_user_password)
    throw std::runtime_error("bootstrap_user_on_startup needs bootstrap_user_username and bootstrap_user_password");
  const std::vector<std::string> login{*settings.bootstrap_user_username};
  if (!UnitOfWork(database, Mode::read_only).run("users.first_taken_login", {Param(login), nullptr}).empty())
    return false;
  ensure_bootstrap_user(database, settings);
  return true;
}

void enable_external_types(Database& database, const Settings& settings) {
  UnitOfWork unit(database);
  unit.run("seed.lock");
  unit.run("external.enable", {Param(settings.external.types), Param(settings.external.foreign_types)});
  unit.commit();
}

void check_authentication_methods(Database& database, const Settings& settings) {
  log::info("Checking configured authentication methods for missing implementations");
  std::vector<std::string> available = settings.idps;
  available.insert(available.end(), {"native", "default"});
  UnitOfWork unit(database, Mode::read_only);
  const Rows tenants = unit.run("seed.tenants_with_other_methods", {Param(available)});
  const Rows users = unit.run("seed.users_with_other_methods", {Param(available)});
  std::set<std::string> missing;
  for (const Rows& rows : {tenants, users}) {
    for (std::size_t i = 0; i < rows.size(); ++i) missing.insert(rows.text(i, "method"));
  }
  for (const std::string& method : missing)
    log::warning("Authentication method " + method + " is in use but is not available");
  for (std::size_t i = 0; i < tenants.size(); ++i)
    log::warning("Tenant (uuid=" + tenants.text(i, "uuid") +
                 ") has no available idp implementation for default authentication method " +
                 tenants.text(i, "method"));
  for (std::size_t i = 0; i < users.size(); ++i)
    log::warning("User (uuid=" + users.text(i, "uuid") +
                 ") has no available idp implementation for authentication method " + users.text(i, "method"));
  unit.commit();
}

}  // namespace

void seed(Database& database, const Settings& settings, const std::function<void()>& serve) {
  const bool tenants_are_left = settings.update_policy_on_startup && !seed_policies(database, settings);
  const bool user_is_left = settings.bootstrap_user_on_startup && !create_bootstrap_user(database, settings);
  enable_external_types(database, settings);
  serve();
  if (tenants_are_left) seed_left_tenants(database, settings);
  if (user_is_left) ensure_bootstrap_user(database, settings);
  check_authentication_methods(database, settings);
}

}  // namespace wazoauth
