#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/login/stored_password.h"
#include "wazoauth/mail/mails.h"
#include "wazoauth/mail/message.h"
#include "wazoauth/mail/smtp.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/user/mail_routes.h"

namespace wazoauth {

namespace {

// -- asking for a mail -----------------------------------------------------------------------------------------------
//
// The answer must not reveal whether an account exists, neither by its text nor by its time. So this probes the mail
// server before it looks up the account, without naming the recipient, and always answers after the same time. By then
// the mail has gone out, as a rule.

constexpr std::int64_t answered_after_ms = 400;

std::optional<std::string> exactly_one(const Json& query) {
  if (query.size() == 1) return std::nullopt;
  return "give one of \"username\", \"email\" and \"login\"";
}

Schema account() {
  return {{{.name = "username", .min_length = 1, .max_length = 256},
           {.name = "email", .type = Type::email},
           {.name = "login", .min_length = 1, .max_length = 256}},
          {exactly_one},
          ""};
}

// The recipient of the mail; nullopt for none.
std::optional<PasswordReset> find(UnitOfWork& unit, const Json& query) {
  const auto given = [&](const char* name) {
    return query.has(name) ? std::optional<std::string>(query.get(name).text()) : std::nullopt;
  };
  const Rows rows = unit.run("resets.find", {given("username"), given("email"), given("login")});
  if (rows.empty() || keeps_no_password(rows.text(0, "method")) || rows.is_null(0, "address")) return std::nullopt;
  PasswordReset reset{rows.text(0, "uuid"), rows.text(0, "address"), rows.optional_text(0, "username")};
  if (can_be_mailed(reset.address) && fits_header(reset.username.value_or(""))) return reset;
  log::warning("User " + reset.user_uuid +
               " can't be sent a mail to reset the password: name or address fit no header");
  return std::nullopt;
}

// The limit is for each user, not for each client.
bool has_enough(Context& context, const std::string& user_uuid) {
  const std::int64_t most = context.settings.mail.password_resets_per_hour;
  if (most == 0) return false;
  const std::int64_t now = unix_seconds();
  const Rows rows = context.db().run("resets.recent", {reset_access(user_uuid), now - 3600, now});
  return rows.integer(0, "count") >= most;
}

void send(Context& context, const PasswordReset& reset) {
  if (context.db().run("users.lock", {reset.user_uuid}).empty()) return;
  if (has_enough(context, reset.user_uuid))
    return log::warning("User " + reset.user_uuid + " is sent no more mails to reset the password for now");
  try {
    context.db().savepoint([&] { send_password_reset(context, reset); });
  } catch (const NotMailable& error) {
    log::error(std::string("The mail that resets a password can't be written: ") + error.what());
  }
}

Step send_if_found(Context& context, const Json& query) {
  if (const auto reset = find(context.db(), query)) send(context, *reset);
  Response response = Response::no_content();
  response.hold_for_ms = answered_after_ms;
  return response;
}

Response new_password_page(int status, const std::string& complaint) {
  return web_page({.status = status,
                   .title = "Choose a new password",
                   .texts = {"Changing the password ends all sessions of this account."},
                   .asks_for_password = true,
                   .complaint = complaint});
}

// The link of the mail, opened by a person. Opening it doesn't use it up.
Step show_form(Context& context) {
  const std::string user_uuid = query_parameter(context.request.query, "user_uuid").value_or("None");
  if (context.admit(reset_access(user_uuid)) != Context::Admission::granted)
    throw problems::unauthorized(Json::object({{"invalid_token", context.token_id()}}));
  return new_password_page(200, "");
}

bool is_link(const Request& request) {
  const auto has = [&](const char* name) { return query_parameter(request.query, name).has_value(); };
  return request.prefers_html() && has("token") && !has("username") && !has("email") && !has("login");
}

Step ask(Context& context) {
  if (is_link(context.request)) return show_form(context);
  const Json query = context.valid_query();
  require_reset_mail(context.settings);
  return Step::then(Lane::mail, [query](Context& c) {
    ask_mail_server(c.settings.mail.smtp, c.settings.mail.password_reset.from_address);
    return Step::then(Lane::database, [query](Context& last) { return send_if_found(last, query); });
  });
}

// -- setting the password --------------------------------------------------------------------------------------------

bool is_form(const Request& request) {
  return request.prefers_html() &&
         request.header_or_empty("content-type").starts_with("application/x-www-form-urlencoded");
}

struct NewPassword {
  std::string user_uuid;
  std::optional<std::string> password;  // none: no login by password any more
  bool for_page = false;
};

Response done(const NewPassword& wanted) {
  if (!wanted.for_page) return Response::no_content();
  return web_page(
      {.title = "The password is changed", .texts = {"From now on log in with the new one. You may close this page."}});
}

// A mailed token is for its user. Any other token sees its own tenant and those below.
bool is_visible(Context& context, const std::string& user_uuid) {
  if (is_mailed_token(context.token(), reset_access(user_uuid))) return true;
  return context.db().run("users.in_subtree", {user_uuid, context.caller_tenant()}).boolean(0, "inside");
}

Problem unknown_user(const NewPassword& wanted) {
  if (wanted.password) return problems::unknown("user", wanted.user_uuid);
  const Json details = Json::object({{"password", Json()}, {"uuid", wanted.user_uuid}});
  return Problem::with_error_id(404, "unknown-user", "No such user: \"" + wanted.user_uuid + "\"", details, "users");
}

void require_user(Context& context, const NewPassword& wanted) {
  const Rows rows = context.db().run("resets.user", {wanted.user_uuid});
  if (rows.empty() || !is_visible(context, wanted.user_uuid)) throw unknown_user(wanted);
  if (!wanted.password) return;
  if (!rows.boolean(0, "has_login")) throw problems::authentication_failed();
  if (keeps_no_password(rows.text(0, "method"))) throw problems::managed_externally(wanted.user_uuid);
}

// First the user, then the sessions: the order of a login, so the two can't deadlock. A mailed token works once: a
// second request finds it gone.
Step write(Context& context, const NewPassword& wanted, const std::optional<StoredPassword>& stored) {
  require_user(context, wanted);
  UnitOfWork& unit = context.db();
  const Rows written = stored ? unit.run("resets.set_password", {wanted.user_uuid, stored->hash, stored->salt_hex})
                              : unit.run("resets.clear_password", {wanted.user_uuid});
  if (written.affected() == 0) throw unknown_user(wanted);
  if (is_mailed_token(context.token(), reset_access(wanted.user_uuid)) &&
      unit.run("mails.use_token", {context.token_id()}).affected() == 0)
    throw problems::unauthorized(Json::object({{"invalid_token", context.token_id()}}));
  delete_sessions_of_user(unit, wanted.user_uuid);
  return done(wanted);
}

Step set(Context& context, const NewPassword& wanted) {
  require_user(context, wanted);
  if (!wanted.password) return write(context, wanted, std::nullopt);
  return store_password(*wanted.password,
                        [wanted](Context& c, const StoredPassword& stored) { return write(c, wanted, stored); });
}

Step set_by_form(Context& context, NewPassword wanted) {
  wanted.for_page = true;
  wanted.password = query_parameter(context.request.body, "password").value_or("");
  const bool usable = !wanted.password->empty() && wanted.password->find('\0') == std::string::npos;
  if (!usable) return new_password_page(400, "Please enter a new password.");
  if (query_parameter(context.request.body, "confirmation") != wanted.password)
    return new_password_page(400, "These were two different passwords. Please enter the same one twice.");
  return set(context, wanted);
}

Step set_password(Context& context) {
  NewPassword wanted{query_parameter(context.request.query, "user_uuid").value_or("None"), std::nullopt};
  if (is_form(context.request)) return set_by_form(context, std::move(wanted));
  const Json password = context.valid_body().get("password");
  if (!password.is_null()) wanted.password = password.text();
  return set(context, wanted);
}

std::optional<Response> problem_page(const Request& request, const Problem& problem) {
  if (request.method == "POST" ? !is_form(request) : !request.prefers_html()) return std::nullopt;
  if (problem.status() >= 500) return trouble_page(problem);
  if (problem.status() == 405 || problem.body().has("reason"))
    return web_page({.status = problem.status(),
                     .title = "This password can't be changed here",
                     .texts = {"It isn't kept here. Please ask your administrator."}});
  return web_page({.status = problem.status(),
                   .title = "This link doesn't work",
                   .texts = {"It may have been used already, it may have expired, or a part of it is missing.",
                             "If you still need a new password, ask for another mail."}});
}

}  // namespace

void add_password_reset_routes(Router& router) {
  const std::string path = "/users/password/reset";
  RouteFamily family(router, {.plugin = "password_reset"});
  family.add({.method = "GET",
              .path = path,
              .handler = ask,
              .summary = "Send the mail that lets a user choose a new password, if there is such a user; with a token, "
                         "for browsers, the page that the link in the mail leads to",
              .query = takes(account(), Report::text, "reset"),
              .parameters = {"user_uuid", "token"},
              .failures = {failures::unauthorized},
              .query_token = true,
              .problem_page = problem_page});
  family.add(
      {.method = "POST",
       .path = path,
       .access = "auth.users.password.reset.{user_uuid}.create",
       .handler = set_password,
       .summary = "Choose a new password, or none, and end the user's sessions",
       .body = takes({{{.name = "password", .required = true, .nullable = true, .min_length = 1}}, {}, "NewPassword"},
                     Report::text, "reset"),
       .parameters = {"user_uuid", "token"},
       .failures = {failures::unknown_user, failures::login_failed, failures::managed_externally},
       .query_token = true,
       .query_access = true,
       .problem_page = problem_page});
}

}  // namespace wazoauth
