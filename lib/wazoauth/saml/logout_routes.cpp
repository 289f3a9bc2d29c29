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
#include "wazoauth/saml/idp_logout.h"
#include "wazoauth/saml/providers.h"
#include "wazoauth/saml/routes.h"
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
  delete_token(context.db(), ending.token);
  delete_refresh_token(context.db(), ending.refresh_token);
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
std::optional<std::string> session_index(Context& context, const Ending& ending, const std::string& idp) {
  const Rows rows = context.db().run("saml.subject", {coded(ending.name_id), idp, ending.session.request_id});
  if (rows.empty()) return std::nullopt;
  if (auto known = rows.optional_text(0, "session_index"); known && !known->empty()) return known;
  const auto info = Json::parse(rows.text(0, "info"));
  return info ? info->text_or("session_index", "") : "";
}

Step write_request(Context& context, const Ending& ending, const std::shared_ptr<const ServiceProvider>& provider) {
  const auto index = session_index(context, ending, provider->idp().entity_id);
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

// -- /saml/sls: the answer to a logout

Step finish_logout(Context& context, const Session& session, const std::string& idp) {
  if (context.request.method != "HEAD") {
    if (const auto name_id = name_id_of(session)) context.db().run("saml.forget_subject", {coded(*name_id), idp});
    context.db().run("saml.end", {session.request_id, session.session_id});
  }
  return redirect_to(with_parameter(session.redirect_url, logged_out));
}

Step judge(Providers& providers, const Session& session, const Source& source, const Carried& message) {
  const auto provider = providers.get(source);
  if (!provider) throw processing_error(500, "Unexpected error");
  try {
    provider->check_logout(message, unix_seconds());
  } catch (const Refused& e) {
    refuse_logout(through(session.domain), e);
  }
  return Step::then(Lane::database, [session, idp = provider->idp().entity_id](Context& next) {
    return finish_logout(next, session, idp);
  });
}

Step consume_answer(Context& context, Providers& providers, const Carried& message) {
  const auto session = session_by_relay_state(context.db(), message.relay_state);
  const bool of_logout = message.relay_state.find('|') != std::string::npos;
  if (!session || !of_logout || !may_redirect(session->redirect_url, context.settings.saml.redirect_urls))
    throw processing_error(500, "Context not found");
  const auto source = providers.find(context.db(), session->domain);
  if (!source) throw processing_error(500, "Unexpected error");
  return Step::then(Lane::cpu, [&providers, session, source, message](Context&) {
    return judge(providers, *session, *source, message);
  });
}

// -- /saml/sls: either of them, by either binding

constexpr const char* request_name = "SAMLRequest";
constexpr const char* answer_name = "SAMLResponse";

Carried carried(Context& context, bool& is_request) {
  if (context.request.method == "POST") {
    const FormData form = context.form_data();
    const auto request = form.field(request_name), answer = form.field(answer_name);
    if (request && answer) throw Refused("both a request and an answer");
    is_request = request.has_value();
    const auto message = is_request ? request : answer;
    return message ? carried_by_form(*message, form.field("RelayState").value_or("")) : Carried();
  }
  const std::string& query = context.request.query;
  is_request = query_parameter(query, request_name).has_value();
  const bool is_answer = query_parameter(query, answer_name).has_value();
  if (is_request && is_answer) throw Refused("both a request and an answer");
  if (!is_request && !is_answer) return {};
  return carried_by_query(query, is_request ? request_name : answer_name);
}

Step consume(Context& context, Providers& providers) {
  try {
    bool is_request = false;
    const Carried message = carried(context, is_request);
    if (is_request) return take_logout_request(context, providers, message);
    if (message.xml.empty() || message.relay_state.empty())
      throw processing_error(500, "RelayState and/or SAMLResponse");
    return consume_answer(context, providers, message);
  } catch (const Refused& e) {
    refuse_logout("", e);
  } catch (const BadXml& e) {
    refuse_logout("", Refused(e.what()));
  }
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
              .handler = [&providers](Context& context) { return consume(context, providers); },
              .summary = "Take an identity provider's answer to a logout, or its own request, from the browser",
              .parameters = {"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"},
              .status = 302,
              .produces = "text/html",
              .failures = {processing_failed},
              .shows_page = true});
  family.add({.method = "POST",
              .path = "/saml/sls",
              .handler = [&providers](Context& context) { return consume(context, providers); },
              .summary = "Take the same from a form, as many identity providers send it",
              .body = takes_form({{{.name = "SAMLRequest"}, {.name = "SAMLResponse"}, {.name = "RelayState"}}},
                                 Report::name, "saml"),
              .status = 302,
              .produces = "text/html",
              .failures = {processing_failed},
              .shows_page = true});
}

}  // namespace wazoauth
