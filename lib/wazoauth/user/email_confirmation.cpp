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

// The link in a mail, as opposed to a token of somebody who may confirm any address of the tenant.
bool is_link(Context& context) {
  return is_mailed_token(context.token(), "auth.emails." + context.param("email_uuid") + ".confirm.edit");
}

Problem used_link(Context& context) {
  return problems::unauthorized(
      Json::object({{"invalid_token", context.token_id()},
                    {"reason", "not_found_or_expired"},
                    {"required_access", "auth.emails." + context.param("email_uuid") + ".confirm.update"}}));
}

// Any other token sees its own tenant and those below.
void require_visible(Context& context) {
  const std::string& email = context.param("email_uuid");
  if (!is_link(context) && !context.db().run("mails.visible", {email, context.caller_tenant()}).boolean(0, "visible"))
    throw problems::unknown("email", email);
}

struct State {
  bool confirmed, link_used;
};

State state_of(Context& context) {
  const Rows rows = context.db().run("mails.confirmation", {context.param("email_uuid"), context.token_id()});
  if (rows.empty()) throw problems::unknown("email", context.param("email_uuid"));
  return {rows.boolean(0, "confirmed"), rows.boolean(0, "link_used")};
}

// A link works once.
void confirm(Context& context) {
  require_visible(context);
  if (is_link(context) && context.db().run("mails.use_link", {context.token_id()}).affected() == 0)
    throw used_link(context);
  const std::string& email = context.param("email_uuid");
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

void require_page(const Settings& settings) {
  if (!settings.mail_templates || !settings.mail_templates->confirmation_page)
    throw std::runtime_error("the template of the page that confirms an address is missing");
}

Response confirmed_page(const Settings& settings) {
  Response response;
  response.content_type = content_type(settings.mail.confirmation_page_type);
  response.body = settings.mail_templates->confirmation_page->render({});
  // The administrator's page may use anything; only framing it is forbidden.
  response.headers = page_headers("frame-ancestors 'none'");
  return response;
}

// Programs that inspect mails open every link before a person does, and look like browsers: opening changes nothing.
Step show_button(Context& context) {
  require_visible(context);
  const State state = state_of(context);
  if (state.confirmed) return confirmed_page(context.settings);
  if (state.link_used) throw used_link(context);
  return web_page({.title = "Confirm your e-mail address",
                   .texts = {"Your address was given for an account. If you know about it, confirm the address.",
                             "If you don't, close this page: the address stays unconfirmed."},
                   .button = "Confirm the address"});
}

// The page that the link in the mail leads to. Programs that follow it to confirm an address send GET.
Step get_confirmation(Context& context) {
  require_page(context.settings);
  if (context.request.prefers_html()) return show_button(context);
  if (context.request.method != "HEAD") confirm(context);
  return confirmed_page(context.settings);
}

// The page's button. Somebody who presses it twice, or comes back to it, reads that all is well.
Step post_confirmation(Context& context) {
  require_page(context.settings);
  try {
    confirm(context);
  } catch (const Problem&) {
    if (!context.request.prefers_html() || !is_link(context) || !state_of(context).confirmed) throw;
  }
  return confirmed_page(context.settings);
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
  // What a browser sees: the link in the mail leads to the first, its button to the second.
  Route page{.method = "GET",
             .path = "/emails/<email_uuid>/confirm",
             .access = access,
             .handler = get_confirmation,
             .summary =
                 "Confirm an address: where the link in the mail leads to; a browser gets a page "
                 "with a button that does it",
             .parameters = {"token"},
             .status = 200,
             .produces = "text/html",
             .failures = {failures::unknown_email},
             .query_token = true,
             .problem_page = problem_page};
  family.add(page);
  page.method = "POST";
  page.handler = post_confirmation;
  page.summary = "Confirm an address: the button of the page that the link in the mail leads to";
  family.add(page);
  family.add({.method = "PUT",
              .path = "/emails/<email_uuid>/confirm",
              .access = access,
              .handler = put_confirmation,
              .summary = "Confirm an address",
              .failures = {failures::unknown_email}});
}

}  // namespace wazoauth
