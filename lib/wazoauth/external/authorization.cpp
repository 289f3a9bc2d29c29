#include "wazoauth/external/authorization.h"

#include "wazoauth/base/text.h"
#include "wazoauth/outgoing/form_post.h"
#include "wazoauth/store/event.h"

namespace wazoauth::external {

namespace {

constexpr std::string_view letters_and_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// People may take longer at a broker's page: the daemon had no limit at all.
constexpr std::chrono::seconds own_limit{600}, broker_limit{3600};

// Of one user at one service.
constexpr int most_pending = 10;

// S256 of RFC 7636, which has no padding.
std::string challenge(const std::string& verifier) {
  std::string text = sha256_base64url(verifier);
  text.resize(text.find('='));
  return text;
}

std::string joined(const Json& scope) {
  std::string text;
  for (const Json& word : scope.items()) (text += text.empty() ? "" : " ") += word.text();
  return text;
}

// Seconds within which the claiming process is done, unless the database goes away.
std::int64_t lease(const Settings& settings) {
  return std::chrono::ceil<std::chrono::seconds>(settings.external.timeout).count() + 10;
}

Authorization authorization_of(const Rows& rows, std::size_t row) {
  return {rows.text(row, "state"),
          rows.text(row, "type"),
          rows.text(row, "user_uuid"),
          rows.text(row, "tenant_uuid"),
          rows.json(row, "scope"),
          rows.text(row, "redirect_uri"),
          rows.optional_text(row, "verifier"),
          std::nullopt};
}

}  // namespace

Authorization new_authorization(const OAuth2Service& service, const std::string& user, const std::string& tenant,
                                const Json& scope) {
  Authorization authorization;
  authorization.state = random_text(30, letters_and_digits);
  authorization.type = service.type;
  authorization.user = user;
  authorization.tenant = tenant;
  authorization.scope = scope;
  authorization.redirect_uri = service.redirect_uri;
  if (service.websocket_host.empty())
    authorization.verifier = random_text(64, letters_and_digits);
  else
    authorization.websocket = service.websocket_host + "/ws/" + authorization.state;
  return authorization;
}

Authorization new_authorization(const StoredService& service, const std::string& user, const std::string& tenant) {
  Authorization authorization;
  authorization.state = random_text(30, letters_and_digits);
  authorization.type = service.type;
  authorization.user = user;
  authorization.tenant = tenant;
  authorization.scope = Json::array();
  std::string websocket = service.websocket;
  replace_all(websocket, "{state}", authorization.state);
  authorization.websocket = websocket;
  return authorization;
}

std::string consent_address(const OAuth2Service& service, const Client& client, const Authorization& authorization) {
  FormFields fields{{"response_type", "code"}, {"client_id", client.id}, {"redirect_uri", authorization.redirect_uri}};
  if (authorization.scope.size() > 0) fields.emplace_back("scope", joined(authorization.scope));
  fields.emplace_back("state", authorization.state);
  fields.insert(fields.end(), service.parameters.begin(), service.parameters.end());
  if (authorization.verifier) {
    fields.emplace_back("code_challenge", challenge(*authorization.verifier));
    fields.emplace_back("code_challenge_method", "S256");
  }
  const std::string& base = service.authorization_base_url;
  const bool has_query = base.find('?') != std::string::npos, goes_on = base.ends_with('?') || base.ends_with('&');
  return base + (goes_on ? "" : has_query ? "&" : "?") + form_encoded(fields);
}

void ask(UnitOfWork& unit, const Authorization& authorization, const std::string& holder) {
  const auto limit = authorization.websocket ? broker_limit : own_limit;
  unit.run("authorizations.make_room", {authorization.user, authorization.type, most_pending - 1});
  unit.run("authorizations.ask",
           {authorization.state, authorization.type, authorization.user, authorization.tenant,
            authorization.scope.dump(), authorization.redirect_uri, authorization.verifier, authorization.websocket,
            holder.empty() ? std::nullopt : std::optional(holder), static_cast<std::int64_t>(limit.count())});
}

Json parse_answer(std::string_view message, const std::string& state) {
  Json answer = Json::parse(message).value_or(Json());
  if (!answer.is_object()) throw std::runtime_error("its message isn't understood");
  if (answer.has("state") && answer.text_or("state", "") != state)
    throw std::runtime_error("its message is for somebody else");
  return answer;
}

std::optional<Authorization> claim(UnitOfWork& unit, const Settings& settings, const std::string& state,
                                   const Json& answer, AnsweredBy by) {
  if (state.find('\0') != std::string::npos) return std::nullopt;
  const Rows rows = unit.run("authorizations.take", {state, answer.dump(), lease(settings), by == AnsweredBy::browser});
  if (rows.empty()) return std::nullopt;
  return authorization_of(rows, 0);
}

std::vector<Answered> resume(UnitOfWork& unit, const Settings& settings, const std::vector<std::string>& types) {
  const Rows rows = unit.run("authorizations.resume", {lease(settings), Param(types)});
  std::vector<Answered> found;
  for (std::size_t row = 0; row < rows.size(); ++row)
    found.push_back({authorization_of(rows, row), rows.json(row, "told")});
  return found;
}

bool end(UnitOfWork& unit, const Authorization& authorization) {
  return unit.run("authorizations.end", {authorization.state}).affected() > 0;
}

Client client_of(UnitOfWork& unit, const Authorization& authorization) {
  const Rows rows = unit.run("external.config", {authorization.type, authorization.tenant});
  if (rows.empty()) throw std::runtime_error("the tenant has no configuration of the service any more");
  return client_of(rows.json(0, "data"));
}

bool store(UnitOfWork& unit, const Authorization& authorization, const Json& data) {
  const std::string &user = authorization.user, &type = authorization.type;
  if (!end(unit, authorization)) return false;
  const Rows rows = unit.run("authorizations.user", {user});
  if (rows.empty()) return false;
  unit.run("external.make_type", {type});
  const bool created = unit.run("external.put_data", {type, user, data.dump()}).boolean(0, "created");
  unit.run("renewals.end", {user, type});
  const std::string home = rows.text(0, "tenant_uuid");
  unit.publish(created ? events::external_auth_added(home, user, type)
                       : events::external_auth_updated(home, user, type));
  return true;
}

bool add_awaited(UnitOfWork& unit, const StoredService& service, const Authorization& authorization,
                 const Json& message) {
  const std::string &user = authorization.user, &type = authorization.type;
  if (!end(unit, authorization)) return false;
  const Rows home = unit.run("authorizations.user", {user}), rows = unit.run("external.data_to_change", {type, user});
  if (home.empty() || rows.empty()) return false;
  Json data = rows.json(0, "data");
  // A later authorization of the same user counts.
  if (!data.is_object() || data.text_or("state", "") != authorization.state) return false;
  for (const std::string& name : service.awaited) {
    if (message.has(name)) data.set(name, message.get(name));
  }
  unit.run("external.put_data", {type, user, data.dump()});
  unit.publish(events::external_auth_authorized(home.text(0, "tenant_uuid"), user, type));
  return true;
}

const OAuth2Service* oauth2_service(const Settings& settings, const std::string& type) {
  for (const OAuth2Service& service : settings.external.oauth2_services) {
    if (service.type == type) return &service;
  }
  return nullptr;
}

const StoredService* stored_service(const Settings& settings, const std::string& type) {
  for (const StoredService& service : settings.external.stored_services) {
    if (service.type == type) return &service;
  }
  return nullptr;
}

}  // namespace wazoauth::external
