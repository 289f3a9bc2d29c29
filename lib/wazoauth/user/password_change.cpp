#include "wazoauth/user/password_change.h"

#include "wazoauth/base/password_hash.h"
#include "wazoauth/login/stored_password.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/session/session_rules.h"

namespace wazoauth {

namespace {

struct PasswordChange {
  std::string user_uuid;
  std::string old_password, new_password;
  std::string stored_hash, stored_salt;  // "" when this user can't log in with a password
  bool managed_externally = false;
  bool can_log_in() const { return !stored_hash.empty() && !stored_salt.empty(); }
};

// Replaces the hash that was verified and no other: after a concurrent change the old password is no longer valid.
Step write_password(Context& context, const PasswordChange& change, const StoredPassword& stored) {
  const Rows written =
      context.db().run("users.set_password", {change.user_uuid, stored.hash, stored.salt_hex, change.stored_hash});
  if (written.affected() == 0) throw problems::authentication_failed();
  delete_sessions_of_user(context.db(), change.user_uuid);
  return Response::no_content();
}

Step verify(Context& context, const PasswordChange& change, const std::string& hash) {
  if (!change.can_log_in() || !is_stored_hash(hash, change.stored_hash)) throw problems::authentication_failed();
  context.proved_password = true;
  if (change.managed_externally) throw problems::managed_externally(change.user_uuid);
  return store_password(change.new_password, [change](Context& next, const StoredPassword& stored) {
    return write_password(next, change, stored);
  });
}

Step change_password(Context& context) {
  const Json body = context.valid_body();
  PasswordChange change;
  change.user_uuid = context.param("user_uuid");
  change.old_password = body.get("old_password").text();
  change.new_password = body.get("new_password").text();
  const Rows rows = context.db().run("users.credentials", {change.user_uuid, context.caller_tenant()});
  if (rows.empty()) throw problems::unknown("user", change.user_uuid);
  if (rows.boolean(0, "enabled") && rows.boolean(0, "has_login")) {
    change.stored_hash = rows.text(0, "password_hash");
    change.stored_salt = rows.bytes(0, "password_salt");
  }
  change.managed_externally = keeps_no_password(rows.text(0, "method"));
  return Step::judge(
      context.guess_at(change.user_uuid),
      Step::hash(change.old_password, change.can_log_in() ? change.stored_salt : random_salt(),
                 [change](Context& next, const std::string& hash) { return verify(next, change, hash); }));
}

}  // namespace

Route password_route() {
  return {.method = "PUT",
          .path = "/users/<user_uuid>/password",
          .access = "auth.users.{user_uuid}.password.update",
          .plugin = "users",
          .handler = change_password,
          .tenancy = Tenancy::caller,
          .summary = "Change a user's password and end its sessions",
          .body = takes({{{.name = "old_password", .required = true, .min_length = 1},
                          {.name = "new_password", .required = true, .min_length = 1}},
                         {},
                         "PasswordChange"},
                        Report::first, "users"),
          .failures = {failures::login_failed, failures::managed_externally, failures::throttled}};
}

}  // namespace wazoauth
