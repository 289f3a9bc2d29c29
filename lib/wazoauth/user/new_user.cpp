#include "wazoauth/user/new_user.h"

#include "wazoauth/base/uuid.h"
#include "wazoauth/group/default_groups.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

Rows write_rows(Context& context, const NewUser& user, const std::string& uuid, const std::string& tenant) {
  const Json& body = user.body;
  const auto& password = user.password;
  Rows made = context.db().run(
      "users.create",
      {uuid, text_of(body.get("username")), text_of(body.get("firstname")), text_of(body.get("lastname")),
       body.get("purpose").text(), body.get("enabled").boolean(), tenant, body.get("authentication_method").text(),
       password ? Param(password->hash) : Param(nullptr), password ? Param(password->salt_hex) : Param(nullptr),
       text_of(body.get("email_address")), user.confirmed});
  if (!made.boolean(0, "joined")) {
    ensure_all_users_group(context.db(), context.settings, tenant);
    // Somebody else may have made the group meanwhile, and doesn't know this user.
    context.db().run("users.join_all_users_group", {uuid, tenant});
  }
  return made;
}

}  // namespace

void refuse_taken_logins(UnitOfWork& unit, const Json& body) {
  refuse_taken_login(unit, body.get("username"), "username", std::nullopt);
  refuse_taken_login(unit, body.get("email_address"), "email_address", std::nullopt);
}

void lock_new_logins(UnitOfWork& unit, const Json& body) {
  lock_logins(unit, {body.get("username"), body.get("email_address")});
}

Problem user_problem(const ConstraintViolation& e, const Json& body, const std::string& tenant) {
  if (e.constraint == "auth_user_username_key") return login_taken("username", body.text_or("username", ""));
  if (e.constraint == "auth_email_address_key") return login_taken("email_address", body.text_or("email_address", ""));
  if (e.constraint == "auth_user_pkey")
    return problems::conflict("users", "uuid", "The uuid \"" + body.text_or("uuid", "") + "\" is already used");
  if (e.constraint == "auth_user_tenant_uuid_fkey") return problems::unauthorized_tenant(tenant);
  throw e;
}

Rows add_user(Context& context, const NewUser& user, const std::string& tenant) {
  const std::string uuid = user.body.has("uuid") ? std::string(user.body.get("uuid").text()) : new_uuid();
  try {
    return write_rows(context, user, uuid, tenant);
  } catch (const ConstraintViolation& e) {
    throw user_problem(e, user.body, tenant);
  }
}

}  // namespace wazoauth
