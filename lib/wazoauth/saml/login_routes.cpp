// Logins: a request to the identity provider, and its response by way of the browser.
#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/saml/binding.h"
#include "wazoauth/saml/flow.h"
#include "wazoauth/saml/providers.h"
#include "wazoauth/saml/routes.h"
#include "wazoauth/tenant/tenant_body.h"

namespace wazoauth {

namespace {

using namespace saml;

constexpr std::string_view base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t longest_login = 512, longest_key = 512;

// -- POST /saml/sso

Problem no_provider(const std::string& domain) {
  return Problem::with_error_id(500, "configuration-error", "SAML client for domain not found or failed",
                                Json::object({{"domain", domain}}), "saml");
}

// 128 random bits or more in 22 characters.
std::string new_session_id() {
  return random_text(22, base64url);
}

struct Beginning {
  std::string domain, redirect_url, session_id = new_session_id(), relay_state = sha256_base64url(session_id);
};

Step store(Context& context, const Beginning& login, const OutgoingRequest& request) {
  context.db().run("saml.begin", {request.id, login.session_id, login.redirect_url, login.domain, login.relay_state});
  return Response::json(Json::object({{"location", request.location}, {"saml_session_id", login.session_id}}));
}

Step make_request(Providers& providers, const Beginning& login, const Source& source) {
  const auto provider = providers.get(source);
  if (!provider) throw no_provider(login.domain);
  try {
    const OutgoingRequest request = provider->login_request(login.relay_state, unix_seconds());
    return Step::then(Lane::database, [login, request](Context& next) { return store(next, login, request); });
  } catch (const Unusable& e) {
    log::warning("SAML: no login through " + Json(login.domain).dump() + ": " + e.what());
    throw no_provider(login.domain);
  }
}

Step begin_login(Context& context, Providers& providers) {
  const Json body = context.valid_body();
  Beginning login{.domain = std::string(body.get("domain").text()),
                  .redirect_url = std::string(body.get("redirect_url").text())};
  if (!may_redirect(login.redirect_url, context.settings.saml.redirect_urls))
    throw problems::invalid_data("redirect_url", Json::object(), "saml");
  const auto source = providers.find(context.db(), login.domain);
  if (!source) throw no_provider(login.domain);
  return Step::then(Lane::cpu,
                    [&providers, login, source](Context&) { return make_request(providers, login, *source); });
}

// -- POST /saml/acs

Response failed(const Session& session) {
  return redirect_to(with_parameter(session.redirect_url, "login_failure_code=500"));
}

void log_refusal(const Session& session, std::string_view why) {
  log::warning("SAML: a login through " + Json(session.domain).dump() + " failed: " + std::string(why));
}

Step give_up(Context& context, const Session& session, const std::string& why) {
  context.db().run("saml.give_up", {session.request_id, session.session_id});
  context.db().run("saml.note_response", {session.domain, replace_invalid_utf8(why)});
  return failed(session);
}

// For the logout, in the form that the Python daemon reads.
void remember_subject(UnitOfWork& unit, const Assertion& assertion) {
  const std::string key = coded(assertion.name_id);
  if (key.size() > longest_key) return;
  const Json authentication =
      Json::array({Json::array({Json(assertion.context), Json::array(), Json(assertion.authenticated_at)})});
  const std::int64_t until = std::clamp<std::int64_t>(assertion.not_on_or_after, 0, INT32_MAX);
  const Json info = Json::object({{"ava", Json::object({{"name", Json::array({Json(assertion.login)})}})},
                                  {"name_id", key},
                                  {"came_from", Json::object()},
                                  {"not_on_or_after", until},
                                  {"authn_info", authentication},
                                  {"session_index", assertion.session_index}});
  unit.run("saml.remember_subject", {key, assertion.issuer, info.dump(), until});
}

// Did this very response, or one that says the same, finish the login, and is that waiting to become a token?
bool came_a_moment_ago(UnitOfWork& unit, const std::string& relay_state, const Assertion& assertion) {
  const auto session = session_by_relay_state(unit, relay_state);
  if (!session || session->used() || session->login != assertion.login) return false;
  const auto name_id = name_id_of(*session);
  return name_id && coded(*name_id) == coded(assertion.name_id);
}

// Browsers post twice, by a script and by a click, and follow the second answer.
Step finish_login(Context& context, const Session& session, const std::string& relay_state,
                  const Assertion& assertion) {
  if (context.db()
          .run("saml.finish", {session.request_id, session.session_id, assertion.login, to_xml(assertion.name_id)})
          .affected() == 1) {
    remember_subject(context.db(), assertion);
    context.db().run("saml.remember_login", {session.request_id, assertion.session_index});
    context.db().run("saml.note_response", {session.domain, nullptr});
  } else if (!came_a_moment_ago(context.db(), relay_state, assertion)) {
    log_refusal(session, "the response came again");
    return failed(session);
  }
  return redirect_to(session.redirect_url);
}

Step judge(Context& context, Providers& providers, const Session& session, const Source& source,
           const std::string& message, const std::string& relay_state) {
  try {
    const auto provider = providers.get(source);
    if (!provider) throw Refused("the configuration can't be used");
    Assertion assertion = provider->accept(message, session.request_id, context.request.remote_addr, unix_seconds());
    if (code_points(assertion.login) > longest_login) throw Refused("the user's name is too long");
    return Step::then(Lane::database, [session, relay_state, assertion](Context& next) {
      return finish_login(next, session, relay_state, assertion);
    });
  } catch (const Refused& e) {
    log_refusal(session, e.what());
    return Step::then(Lane::database,
                      [session, why = std::string(e.what())](Context& next) { return give_up(next, session, why); });
  }
}

Step consume_assertion(Context& context, Providers& providers) {
  const FormData form = context.form_data();
  const auto message = form.field("SAMLResponse"), relay_state = form.field("RelayState");
  if (!message || !relay_state) throw problems::invalid_data("RelayState and/or SAMLResponse", Json::object(), "saml");
  const auto session = session_by_relay_state(context.db(), *relay_state);
  // Another server, which has no such rule, may have written the row.
  if (!session || !may_redirect(session->redirect_url, context.settings.saml.redirect_urls))
    throw processing_error(404, "Context not found");
  const auto source = providers.find(context.db(), session->domain);
  if (!source) throw processing_error(500, "Unexpected error");
  // The token that it gave stays what it is.
  if (session->used()) {
    log_refusal(*session, "the response came again");
    return failed(*session);
  }
  return Step::then(Lane::cpu, [&providers, session, source, message, relay_state](Context& next) {
    return judge(next, providers, *session, *source, *message, *relay_state);
  });
}

std::optional<Json> domain_error(const Json& value) {
  if (is_domain_name(value.text())) return std::nullopt;
  return check_object("Not a valid domain name.", "domain", Json("domain"));
}

Schema login_request() {
  return {{{.name = "redirect_url", .required = true, .min_length = 1, .max_length = 512, .format = "uri"},
           {.name = "domain", .required = true, .format = "hostname", .check = domain_error}},
          {},
          "SamlLoginRequest"};
}

}  // namespace

void add_saml_login_routes(Router& router, Providers& providers) {
  RouteFamily family(router, {.plugin = "saml"});
  family.add({.method = "POST",
              .path = "/saml/sso",
              .handler = [&providers](Context& context) { return begin_login(context, providers); },
              .summary = "Begin a login by SAML: where to send the browser, and what to come back with",
              .body = takes(login_request(), Report::name, "saml"),
              .answer = object_of(shape("SamlLogin", {{.name = "location"}, {.name = "saml_session_id"}})),
              .failures = {{500, ErrorForm::error_id, "configuration-error"}}});
  family.add(
      {.method = "POST",
       .path = "/saml/acs",
       .handler = [&providers](Context& context) { return consume_assertion(context, providers); },
       .summary = "Take the response of an identity provider from the browser, and send it on",
       .body = takes_form({{{.name = "SAMLResponse", .required = true}, {.name = "RelayState", .required = true}}},
                          Report::name, "saml"),
       .status = 302,
       .produces = "text/html",
       .failures = {unknown_context, processing_failed}});
}

}  // namespace wazoauth
