#include "wazoauth/user/registration.h"

#include "wazoauth/base/log.h"
#include "wazoauth/mail/mails.h"
#include "wazoauth/mail/message.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/tenant/new_tenant.h"
#include "wazoauth/user/new_user.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

// Two limits of what comes of it: the username names a tenant, which ends at 128, and a mail's recipient, which is one
// line.
std::optional<Json> username_error(const Json& username) {
  if (fits_header(username.text())) return std::nullopt;
  return check_object("String does not match expected pattern.", "regex", "^[^\\r\\n\\0]*$");
}

std::optional<Json> address_error(const Json& address) {
  if (can_be_mailed(std::string(address.text()))) return std::nullopt;
  return check_object("Not a valid email address.", "type", "email");
}

Schema registration() {
  return {{{.name = "username", .required = true, .min_length = 1, .max_length = 128, .check = username_error},
           {.name = "password", .required = true, .min_length = 1},
           {.name = "firstname", .nullable = true, .fallback = Json()},
           {.name = "lastname", .nullable = true, .fallback = Json()},
           {.name = "email_address", .type = Type::email, .required = true, .check = address_error}},
          {},
          "Registration"};
}

Json valid_registration(const Context& context) {
  Json body = context.valid_body();
  body.set("purpose", "user").set("authentication_method", "default").set("enabled", true);
  return body;
}

TenantBody tenant_of(const Json& body) {
  TenantBody tenant;
  tenant.name = body.get("username").text();
  tenant.json = Json::object({{"name", *tenant.name}});
  tenant.method = "native";
  return tenant;
}

// All of it, or nothing: the mail, too, waits for this transaction's commit.
Step write(Context& context, const NewUser& user) {
  UnitOfWork& unit = context.db();
  lock_new_logins(unit, user.body);
  refuse_taken_logins(unit, user.body);
  const std::string tenant = add_tenant(unit, context.settings, tenant_of(user.body), context.master_tenant());
  const Rows registered = add_user(context, user, tenant);
  const std::string uuid = registered.text(0, "uuid");
  const Json email = registered.json(0, "emails").at(0);
  send_confirmation(context, {email.text_or("uuid", ""), email.text_or("address", ""),
                              std::string(user.body.get("username").text())});
  log::info("User " + uuid + " self-registered, in the new tenant " + tenant);
  return row_response(registered, *user_shape());
}

Step hash(const Json& body) {
  return store_password(body.get("password").text(), [body](Context& context, const StoredPassword& stored) {
    return write(context, {body, stored, false});
  });
}

Step register_user(Context& context) {
  const Json body = valid_registration(context);
  refuse_taken_logins(context.db(), body);
  require_confirmation_mail(context.settings);
  return Step::then(Lane::mail, [body](Context& c) {
    ask_mail_server(c.settings.mail.smtp, c.settings.mail.confirmation.from_address,
                    std::string(body.get("email_address").text()));
    return hash(body);
  });
}

}  // namespace

Route registration_route() {
  return {.method = "POST",
          .path = "/users/register",
          .plugin = "user_registration",
          .handler = register_user,
          .summary = "Register: a user in a tenant of its own, and a mail that confirms the address",
          .body = takes(registration(), Report::first, "users"),
          .answer = object_of(user_shape()),
          .failures = {failures::conflict}};
}

}  // namespace wazoauth
