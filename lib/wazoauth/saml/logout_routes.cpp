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

void delete_token(UnitOfWork& unit, const std::string& token) {
  const Rows session = unit.run("tokens.delete", {token});
  if (!session.empty())
    unit.publish(events::session_deleted(session.text(0, "session_uuid"), session.text(0, "tenant_uuid"),
                                         session.text(0, "auth_id")));
}

void delete_refresh_token(UnitOfWork& unit, const std::string& refresh_token) {
  const Rows refresh = unit.run("saml.delete_refresh_token", {refresh_token});
  if (!refresh.empty())
    unit.publish(events::refresh_token_deleted(refresh.text(0, "tenant_uuid"), refresh.text(0, "user_uuid"),
                                               refresh.text(0, "client_id"), refresh.boolean(0, "mobile")));
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

// -- /saml/sls: the answer to a logout

Step finish_logout(Context& context, const Session& session, const std::string& idp) {
  if (context.request.method != "HEAD") {
    if (const auto name_id = name_id_of(session)) context.db().run("saml.forget_subject", {coded(*name_id), idp});
    context.db().run("saml.end", {session.request_id, session.session_id});
  }
  return redirect_to(with_parameter(session.redirect_url, logged_out));
}

[[noreturn]] void refuse(const std::string& whose, const Refused& why) {
  log::warning("SAML: a logout" + whose + " failed: " + why.what());
  throw processing_error(500, "The message of the identity provider was refused");
}

std::string through(const std::string& domain) {
  return " through " + Json(domain).dump();
}

Step judge(Providers& providers, const Session& session, const Source& source, const Carried& message) {
  const auto provider = providers.get(source);
  if (!provider) throw processing_error(500, "Unexpected error");
  try {
    provider->check_logout(message, unix_seconds());
  } catch (const Refused& e) {
    refuse(through(session.domain), e);
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

// -- /saml/sls: a logout that an identity provider begins

// A domain whose identity provider has signed the request.
struct Voucher {
  std::string domain;
  std::shared_ptr<const ServiceProvider> provider;
};

// Whether the subject had any login there. A request that comes again ends none that began after it.
bool end_logins(Context& context, const Voucher& voucher, const LogoutRequest& request) {
  UnitOfWork& unit = context.db();
  const std::string code = coded(request.name_id);
  const Rows rows = unit.run("saml.of_subject", {voucher.domain, escape_xml(request.name_id.text), request.issued});
  bool found = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto name_id = name_id_of({.name_id = rows.text(i, "saml_name_id")});
    if (!name_id || coded(*name_id) != code) continue;
    found = true;
    unit.run("saml.end", {rows.text(i, "request_id"), rows.text(i, "session_id")});
    const auto refresh_token = rows.optional_text(i, "refresh_token_uuid");
    if (!refresh_token) continue;
    const Rows tokens = unit.run("saml.tokens_of", {*refresh_token});
    for (std::size_t j = 0; j < tokens.size(); ++j) delete_token(unit, tokens.text(j, "uuid"));
    delete_refresh_token(unit, *refresh_token);
  }
  unit.run("saml.forget_subject", {code, request.issuer});
  return found;
}

Response logged_out_page() {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = "<!doctype html>\n<html lang=en>\n<title>Logged out</title>\n<h1>You are logged out</h1>\n</html>\n";
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Step end_all(Context& context, const std::vector<Voucher>& vouchers, const LogoutRequest& request,
             const std::string& relay_state) {
  const ServiceProvider* asked = vouchers.front().provider.get();
  if (context.request.method != "HEAD") {
    bool found = false;
    for (const Voucher& voucher : vouchers) {
      if (!end_logins(context, voucher, request)) continue;
      if (!found) asked = voucher.provider.get();
      found = true;
    }
  }
  const auto location = asked->logout_answer(request.id, relay_state, unix_seconds());
  return location ? redirect_to(*location) : logged_out_page();
}

Step judge_request(Providers& providers, const std::vector<Source>& sources, const Carried& message,
                   const LogoutRequest& request) {
  std::vector<Voucher> vouchers;
  std::optional<Refused> refused;
  std::string whose = " by an identity provider that no domain has";
  for (const Source& source : sources) {
    auto provider = providers.get(source);
    if (!provider || provider->idp().entity_id != request.issuer) continue;
    try {
      provider->check_logout_request(message, unix_seconds());
      vouchers.push_back({source.domain, std::move(provider)});
    } catch (const Refused& e) {
      refused = e;
      whose = through(source.domain);
    }
  }
  if (vouchers.empty()) refuse(whose, refused.value_or(Refused("another issuer")));
  return Step::then(Lane::database, [vouchers, request, relay_state = message.relay_state](Context& next) {
    return end_all(next, vouchers, request, relay_state);
  });
}

Step consume_request(Context& context, Providers& providers, const Carried& message) {
  const LogoutRequest request =
      read_logout_request(Document::parse(message.xml, Document::Kind::message, most_message_bytes));
  const Rows rows = context.db().run("saml.domains_of", {escape_xml(request.issuer)});
  std::vector<Source> sources;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (auto source = providers.find(context.db(), rows.text(i, "name"))) sources.push_back(std::move(*source));
  }
  return Step::then(Lane::cpu, [&providers, sources, message, request](Context&) {
    return judge_request(providers, sources, message, request);
  });
}

Step consume(Context& context, Providers& providers, bool request, const Carried& message) {
  if (request) return consume_request(context, providers, message);
  return consume_answer(context, providers, message);
}

Step consume_query(Context& context, Providers& providers) {
  const std::string& query = context.request.query;
  const bool request = query_parameter(query, "SAMLRequest").has_value();
  if (!request && (!query_parameter(query, "SAMLResponse") || !query_parameter(query, "RelayState")))
    throw processing_error(500, "RelayState and/or SAMLResponse");
  return consume(context, providers, request, carried_by_query(query, request ? "SAMLRequest" : "SAMLResponse"));
}

Step consume_form(Context& context, Providers& providers) {
  const FormData form = context.form_data();
  const auto request = form.field("SAMLRequest"), answer = form.field("SAMLResponse"),
             relay_state = form.field("RelayState");
  if (!request && (!answer || !relay_state)) throw processing_error(500, "RelayState and/or SAMLResponse");
  return consume(context, providers, request.has_value(),
                 carried_by_form(request ? *request : *answer, std::string(relay_state.value_or(""))));
}

// Browsers bring messages by either binding, whatever our metadata says.
Step consume_logout(Context& context, Providers& providers) {
  try {
    return context.request.method == "POST" ? consume_form(context, providers) : consume_query(context, providers);
  } catch (const Refused& e) {
    refuse("", e);
  } catch (const BadXml& e) {
    refuse("", Refused(e.what()));
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
              .handler = [&providers](Context& context) { return consume_logout(context, providers); },
              .summary = "Take an identity provider's answer to a logout, or its own request, from the browser",
              .parameters = {"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"},
              .status = 302,
              .produces = "text/html",
              .failures = {processing_failed}});
  family.add({.method = "POST",
              .path = "/saml/sls",
              .handler = [&providers](Context& context) { return consume_logout(context, providers); },
              .summary = "The same from a form, as some identity providers send it",
              .body = takes_form({{{.name = "SAMLRequest"}, {.name = "SAMLResponse"}, {.name = "RelayState"}}},
                                 Report::name, "saml"),
              .status = 302,
              .produces = "text/html",
              .failures = {processing_failed}});
}

}  // namespace wazoauth
