#include "wazoauth/saml/idp_logout.h"

#include <algorithm>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/saml/flow.h"

namespace wazoauth::saml {

namespace {

using Outcome = ServiceProvider::Outcome;

// A domain whose identity provider has signed the request. Several tenants may have the same one.
struct Voucher {
  std::string domain;
  std::shared_ptr<const ServiceProvider> provider;
  LogoutRequest request;
};

// What we don't know of a login doesn't keep it alive.
bool is_named(const LogoutRequest& request, const std::optional<std::string>& session_index) {
  const auto& named = request.session_indexes;
  return named.empty() || !session_index || session_index->empty() ||
         std::find(named.begin(), named.end(), *session_index) != named.end();
}

void end_login(UnitOfWork& unit, const Rows& logins, std::size_t row) {
  const auto refresh_token = logins.optional_text(row, "refresh_token_uuid");
  const Rows tokens = unit.run("saml.tokens_of", {refresh_token, logins.optional_text(row, "token_uuid")});
  for (std::size_t i = 0; i < tokens.size(); ++i) delete_token(unit, tokens.text(i, "uuid"));
  if (refresh_token) delete_refresh_token(unit, *refresh_token);
  unit.run("saml.end", {logins.text(row, "request_id"), logins.text(row, "session_id")});
}

// As they stand in the database: we write a quotation mark as &quot;, others don't.
std::string inner_text(const std::string& text, bool quotes) {
  std::string escaped = ">" + escape_xml(text) + "<";
  if (quotes) return escaped;
  constexpr std::string_view quote = "&quot;";
  for (auto at = escaped.find(quote); at != std::string::npos; at = escaped.find(quote, at))
    escaped.replace(at, quote.size(), "\"");
  return escaped;
}

// Whether the subject had a login there. A request that comes again ends none that began after it.
bool end_logins(Context& context, const Voucher& voucher) {
  UnitOfWork& unit = context.db();
  const LogoutRequest& request = voucher.request;
  const std::string& name = request.name_id.text;
  const std::int64_t before = request.issued + context.settings.saml.rules.clock_skew + 1;
  const Rows logins =
      unit.run("saml.of_subject", {voucher.domain, inner_text(name, true), inner_text(name, false), before});
  bool ended = false, others = false;
  std::string code = coded(request.name_id);
  for (std::size_t i = 0; i < logins.size(); ++i) {
    const auto name_id = name_id_of({.name_id = logins.text(i, "saml_name_id")});
    if (!name_id || !is_same_subject(*name_id, request.name_id)) continue;
    code = coded(*name_id);
    const bool named = is_named(request, logins.optional_text(i, "session_index"));
    if (named) end_login(unit, logins, i);
    ended = ended || named;
    others = others || !named;
  }
  if (ended && !others) unit.run("saml.forget_subject", {code, voucher.provider->idp().entity_id});
  return ended;
}

Response logged_out_page() {
  return web_page({.title = "You are logged out", .texts = {"You can close this page."}});
}

Step end_all(Context& context, const std::vector<Voucher>& vouchers, const std::string& relay_state) {
  const Voucher* asked = nullptr;
  if (context.request.method != "HEAD") {
    for (const Voucher& voucher : vouchers) {
      if (end_logins(context, voucher)) asked = asked ? asked : &voucher;
    }
  }
  const Outcome outcome = asked ? Outcome::ended : Outcome::unknown_principal;
  if (!asked) asked = &vouchers.front();
  const auto answer = asked->provider->logout_answer(asked->request.id, relay_state, outcome, unix_seconds());
  if (!answer) return logged_out_page();
  if (answer->posted.empty()) return redirect_to(answer->location);
  return post_to(answer->location, answer->posted, relay_state);
}

Step judge(Providers& providers, const std::vector<Source>& sources, const Carried& message,
           const std::string& issuer) {
  std::vector<Voucher> vouchers;
  std::string whose;
  Refused why("no tenant has the identity provider " + in_quotes(issuer));
  for (const Source& source : sources) {
    auto provider = providers.get(source);
    if (!provider || provider->idp().entity_id != issuer) continue;
    try {
      LogoutRequest request = provider->accept_logout(message, unix_seconds());
      vouchers.push_back({source.domain, std::move(provider), std::move(request)});
    } catch (const Refused& e) {
      why = e;
      whose = through(source.domain);
    }
  }
  if (vouchers.empty()) refuse_logout(whose, why);
  return Step::then(Lane::database, [vouchers, relay_state = message.relay_state](Context& next) {
    return end_all(next, vouchers, relay_state);
  });
}

}  // namespace

std::string through(const std::string& domain) {
  return " through " + Json(domain).dump();
}

void refuse_logout(const std::string& whose, const Refused& why) {
  log::warning("SAML: a logout" + whose + " failed: " + why.what());
  throw processing_error(500, "The message of the identity provider was refused");
}

Step take_logout_request(Context& context, Providers& providers, const Carried& message) {
  const std::string issuer =
      issuer_of_logout(Document::parse(message.xml, Document::Kind::message, most_message_bytes));
  const std::string name = escape_xml(issuer);
  const Rows rows = context.db().run("saml.domains_of", {"entityID=\"" + name + "\"", "entityID='" + name + "'"});
  std::vector<Source> sources;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (auto source = providers.find(context.db(), rows.text(i, "name"))) sources.push_back(std::move(*source));
  }
  return Step::then(Lane::cpu, [&providers, sources, message, issuer](Context&) {
    return judge(providers, sources, message, issuer);
  });
}

}  // namespace wazoauth::saml
