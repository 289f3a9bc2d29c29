#include <stdexcept>

#include "wazoauth/config/settings.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/mail/mail_templates.h"
#include "wazoauth/mail/mails.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/user/mail_routes.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

// The address as it is now: between two steps it may have been confirmed or deleted.
Confirmation unconfirmed(Context& context) {
  const std::string &user = context.param("user_uuid"), &email = context.param("email_uuid");
  visible_user(context.db(), user, context.caller_tenant());
  const Rows rows = context.db().run("mails.address", {email, user});
  if (rows.empty()) throw problems::unknown("email", email);
  if (rows.boolean(0, "confirmed"))
    throw Problem::with_error_id(409, "conflict", "This email already confirmed: \"" + email + "\"",
                                 Json::object({{"uuid", email}}), "emails");
  return {email, rows.text(0, "address"), rows.optional_text(0, "username")};
}

Step ask_for_mail(Context& context) {
  const Confirmation confirmation = unconfirmed(context);
  require_confirmation_mail(context.settings);
  return Step::then(Lane::mail, [address = confirmation.address](Context& c) {
    ask_mail_server(c.settings.mail.smtp, c.settings.mail.confirmation.from_address, address);
    return Step::then(Lane::database, [](Context& last) {
      send_confirmation(last, unconfirmed(last));
      return Response::no_content();
    });
  });
}

// A mailed token works once, and for its address. Any other token sees its own tenant and those below.
void confirm(Context& context) {
  const std::string& email = context.param("email_uuid");
  if (is_mailed_token(context.token(), "auth.emails." + email + ".confirm.edit")) {
    if (context.db().run("mails.use_token", {context.token_id()}).affected() == 0)
      throw problems::unauthorized(Json::object({{"invalid_token", context.token_id()},
                                                 {"reason", "not_found_or_expired"},
                                                 {"required_access", "auth.emails." + email + ".confirm.update"}}));
  } else if (!context.db().run("mails.visible", {email, context.caller_tenant()}).boolean(0, "visible")) {
    throw problems::unknown("email", email);
  }
  if (context.db().run("mails.confirm", {email}).affected() == 0) throw problems::unknown("email", email);
}

Step put_confirmation(Context& context) {
  confirm(context);
  return Response::no_content();
}

std::string content_type(const std::string& mimetype) {
  return mimetype.starts_with("text/") && mimetype.find(';') == std::string::npos ? mimetype + "; charset=utf-8"
                                                                                  : mimetype;
}

// The page that the link in the mail leads to. Programs that inspect links before a person does send HEAD.
Step get_confirmation(Context& context) {
  const MailTemplates* templates = context.settings.mail_templates.get();
  if (!templates || !templates->confirmation_page)
    throw std::runtime_error("the template of the page that confirms an address is missing");
  if (context.request.method != "HEAD") confirm(context);
  Response response;
  response.content_type = content_type(context.settings.mail.confirmation_page_type);
  response.body = templates->confirmation_page->render({});
  // The administrator's page may use anything; only framing it is forbidden.
  response.headers = page_headers("frame-ancestors 'none'");
  return response;
}

std::optional<Response> problem_page(const Request& request, const Problem& problem) {
  if (!request.prefers_html()) return std::nullopt;
  if (problem.status() >= 500) return trouble_page(problem);
  return web_page({.status = problem.status(),
                   .title = "This link doesn't work",
                   .texts = {"It may have been used already, it may have expired, or a part of it is missing.",
                             "If you can't log in with your address, ask for another mail."}});
}

}  // namespace

void add_email_confirmation_routes(Router& router) {
  const std::string access = "auth.emails.{email_uuid}.confirm.update";
  RouteFamily family(router, {.plugin = "email_confirm"});
  family.add({.method = "GET",
              .path = "/users/<user_uuid>/emails/<email_uuid>/confirm",
              .access = "auth.users.{user_uuid}.emails.{email_uuid}.confirm.read",
              .handler = ask_for_mail,
              .tenancy = Tenancy::caller,
              .summary = "Send the mail that confirms an address",
              .failures = {failures::unknown_email, failures::conflict}});
  family.add({.method = "GET",
              .path = "/emails/<email_uuid>/confirm",
              .access = access,
              .handler = get_confirmation,
              .summary = "Confirm an address: where the link in the mail leads to",
              .parameters = {"token"},
              .status = 200,
              .produces = "text/html",
              .failures = {failures::unknown_email},
              .query_token = true,
              .problem_page = problem_page});
  family.add({.method = "PUT",
              .path = "/emails/<email_uuid>/confirm",
              .access = access,
              .handler = put_confirmation,
              .summary = "Confirm an address",
              .failures = {failures::unknown_email}});
}

}  // namespace wazoauth
