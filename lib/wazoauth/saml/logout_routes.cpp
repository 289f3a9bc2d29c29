// Logouts: here at once, and at the identity provider by way of the browser.
#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/url.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/saml/flow.h"
#include "wazoauth/saml/providers.h"
#include "wazoauth/saml/routes.h"
#include "wazoauth/saml/xml.h"
#include "wazoauth/store/event.h"
#include "wazoauth/token/answers.h"

namespace wazoauth {

namespace {

using namespace saml;

constexpr std::string_view logged_out = "logged_out=true";

// -- GET /saml/logout

// A login, and the token that ends with it.
struct Ending {
  Session session;
  std::string token, refresh_token;
  NameId name_id;
  std::optional<Source> source;
};

std::string presented_token(const Context& context) {
  std::string token = context.token_header();
  if (token.empty()) token = query_parameter(context.request.query, "token").value_or("");
  if (!gate::live_token(context.services.tokens, token)) throw no_such_token();
  return token;
}

void delete_tokens(Context& context, const Ending& ending) {
  UnitOfWork& unit = context.db();
  const Rows session = unit.run("tokens.delete", {ending.token});
  if (!session.empty())
    unit.publish(events::session_deleted(session.text(0, "session_uuid"), session.text(0, "tenant_uuid"),
                                         session.text(0, "auth_id")));
  const Rows refresh = unit.run("saml.delete_refresh_token", {ending.refresh_token});
  if (!refresh.empty())
    unit.publish(events::refresh_token_deleted(refresh.text(0, "tenant_uuid"), refresh.text(0, "user_uuid"),
                                               refresh.text(0, "client_id"), refresh.boolean(0, "mobile")));
}

Response answer(const std::string& location) {
  return Response::json(Json::object({{"location", location}}));
}

Step end_here(Context& context, const Ending& ending, const ServiceProvider* provider) {
  context.db().run("saml.end", {ending.session.request_id, ending.session.session_id});
  if (provider) context.db().run("saml.forget_subject", {coded(ending.name_id), provider->idp().entity_id});
  delete_tokens(context, ending);
  return answer(with_parameter(ending.session.redirect_url, logged_out));
}

Step end_there(Context& context, const Ending& ending, const ServiceProvider::Logout& logout) {
  context.db().run("saml.begin_logout", {ending.session.request_id, ending.session.session_id, logout.relay_state});
  delete_tokens(context, ending);
  return answer(logout.request.location);
}

// The identity provider's name for the session; nullopt when it isn't known to have vouched for this subject.
std::optional<std::string> session_index(Context& context, const NameId& name_id, const std::string& idp) {
  const Rows rows = context.db().run("saml.subject", {coded(name_id), idp});
  if (rows.empty()) return std::nullopt;
  const auto info = Json::parse(rows.text(0, "info"));
  return info ? info->text_or("session_index", "") : "";
}

Step write_request(Context& context, const Ending& ending, const std::shared_ptr<const ServiceProvider>& provider) {
  const auto index = session_index(context, ending.name_id, provider->idp().entity_id);
  if (!index) return end_here(context, ending, provider.get());
  const auto logout = provider->logout_request(ending.name_id, *index, unix_seconds());
  return logout ? end_there(context, ending, *logout) : end_here(context, ending, provider.get());
}

Step log_out(Context& context, Providers& providers) {
  Ending ending;
  ending.token = presented_token(context);
  const Rows rows = context.db().run("saml.of_token", {ending.token});
  if (rows.empty()) throw processing_error(404, "Context not found");
  if (context.request.method == "HEAD") return answer("");  // a program that inspects links: no logout
  ending.session = {rows.text(0, "request_id"),
                    rows.text(0, "session_id"),
                    rows.text(0, "redirect_url"),
                    rows.text(0, "domain"),
                    rows.optional_text(0, "saml_name_id"),
                    std::nullopt};
  ending.refresh_token = rows.text(0, "refresh_token_uuid");
  const auto name_id = name_id_of(ending.session);
  if (name_id) ending.name_id = *name_id;
  ending.source = providers.find(context.db(), ending.session.domain);
  if (!name_id || !ending.source) return end_here(context, ending, nullptr);
  return Step::then(Lane::cpu, [&providers, ending](Context&) {
    const auto provider = providers.get(*ending.source);
    return Step::then(Lane::database, [ending, provider](Context& next) {
      return provider ? write_request(next, ending, provider) : end_here(next, ending, nullptr);
    });
  });
}

// -- GET /saml/sls

Step finish_logout(Context& context, const Session& session, const std::string& idp) {
  if (context.request.method != "HEAD") {
    if (const auto name_id = name_id_of(session)) context.db().run("saml.forget_subject", {coded(*name_id), idp});
    context.db().run("saml.end", {session.request_id, session.session_id});
  }
  return redirect_to(with_parameter(session.redirect_url, logged_out));
}

Step judge(Context& context, Providers& providers, const Session& session, const Source& source,
           const std::string& relay_state) {
  const auto provider = providers.get(source);
  if (!provider) throw processing_error(500, "Unexpected error");
  try {
    provider->check_logout(context.request.query, relay_state, unix_seconds());
  } catch (const Refused& e) {
    log::warning("SAML: a logout through " + Json(session.domain).dump() + " failed: " + e.what());
    throw processing_error(500, "The response of the identity provider was refused");
  }
  return Step::then(Lane::database, [session, idp = provider->idp().entity_id](Context& next) {
    return finish_logout(next, session, idp);
  });
}

Step consume_logout(Context& context, Providers& providers) {
  const auto message = query_parameter(context.request.query, "SAMLResponse");
  const auto relay_state = query_parameter(context.request.query, "RelayState");
  if (!message || !relay_state) throw processing_error(500, "RelayState and/or SAMLResponse");
  const auto session = session_by_relay_state(context.db(), *relay_state);
  const bool of_logout = relay_state->find('|') != std::string::npos;
  if (!session || !of_logout || !may_redirect(session->redirect_url, context.settings.saml.redirect_urls))
    throw processing_error(500, "Context not found");
  const auto source = providers.find(context.db(), session->domain);
  if (!source) throw processing_error(500, "Unexpected error");
  return Step::then(Lane::cpu, [&providers, session, source, relay_state](Context& next) {
    return judge(next, providers, *session, *source, *relay_state);
  });
}

}  // namespace

void add_saml_logout_routes(Router& router, Providers& providers) {
  RouteFamily family(router, {.plugin = "saml"});
  family.add(
      {.method = "GET",
       .path = "/saml/logout",
       .handler = [&providers](Context& context) { return log_out(context, providers); },
       .summary = "Log out the token's user: here, and where to send the browser for the rest",
       .parameters = {"token"},
       .answer = object_of(shape("SamlLogout", {{.name = "location"}})),
       .failures = {
           {400, ErrorForm::error_id, "ambiguous-token"}, {404, ErrorForm::reason, "No such token"}, unknown_context}});
  family.add({.method = "GET",
              .path = "/saml/sls",
              .handler = [&providers](Context& context) { return consume_logout(context, providers); },
              .summary = "Take an identity provider's answer to a logout from the browser, and send it on",
              .parameters = {"SAMLResponse", "RelayState", "SigAlg", "Signature"},
              .status = 302,
              .produces = "text/html",
              .failures = {processing_failed}});
}

}  // namespace wazoauth
