#include "wazoauth/user/bootstrap.h"

#include <stdexcept>

#include "wazoauth/base/password_hash.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/login/stored_password.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

bool login_works(UnitOfWork& unit, const std::string& username, const std::string& password) {
  const Rows rows = unit.run("logins.find", {username});
  return !rows.empty() && !rows.is_null(0, "password_hash") &&
         is_stored_hash(hash_password(password, rows.bytes(0, "password_salt")), rows.text(0, "password_hash"));
}

}  // namespace

void create_initial_user(Database& database, const std::string& username, const std::string& password,
                         const std::string& purpose, const std::string& policy_slug) {
  if (username.empty() || password.empty()) throw std::runtime_error("the first user needs a username and a password");
  if (purpose != "user" && purpose != "internal" && purpose != "external_api")
    throw std::runtime_error("unknown purpose \"" + purpose + "\" of the first user");
  UnitOfWork unit(database);
  lock_logins(unit, {Json(username)});
  if (login_works(unit, username, password)) return;
  if (!unit.run("users.first_taken_login", {Param(std::vector<std::string>{username}), nullptr}).empty())
    throw std::runtime_error("the user \"" + username + "\" exists, and the given password is not the right one");
  const Rows tenant = unit.run("context.master_tenant");
  if (tenant.empty()) throw std::runtime_error("the database has no master tenant");
  const Rows policy = unit.run("seed.policy_by_slug", {policy_slug});
  if (policy.empty()) throw std::runtime_error("no policy has the slug \"" + policy_slug + "\"");
  const std::string uuid = new_uuid(), tenant_uuid = tenant.text(0, "uuid");
  const StoredPassword stored = make_stored_password(password);
  unit.run("users.create", {uuid, username, nullptr, nullptr, purpose, true, tenant_uuid, "native", stored.hash,
                            stored.salt_hex, nullptr, false});
  unit.run("seed.make_all_users_groups", {tenant_uuid});  // a group that it makes has the user already
  unit.run("users.add_policy", {uuid, policy.text(0, "uuid")});
  unit.commit();
}

bool reset_password(Database& database, const std::string& username, const std::string& password) {
  UnitOfWork unit(database);
  const StoredPassword stored = make_stored_password(password);
  const Rows changed = unit.run("users.replace_password", {username, stored.hash, stored.salt_hex});
  if (changed.empty()) return false;
  delete_sessions_of_user(unit, changed.text(0, "uuid"));
  unit.commit();
  return true;
}

}  // namespace wazoauth
