#include "wazoauth/external/provider.h"

#include <algorithm>
#include <cmath>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/text.h"

namespace wazoauth::external {

namespace {

// Seconds: the lifetime when the provider names none, and the longest one.
constexpr std::int64_t usual_lifetime = 3600, longest_lifetime = 10LL * 366 * 86400;

// RFC 6749, 5.2: the grant is invalid, expired or revoked. OpenID Connect's three: the user has to consent again.
bool is_final(std::string_view error) {
  return error == "invalid_grant" || error == "interaction_required" || error == "login_required" ||
         error == "consent_required";
}

// The provider's error code, when it looks like one; "" for anything else.
std::string shown(const std::string& error) {
  const auto in_word = [](unsigned char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return error.size() <= 40 && std::all_of(error.begin(), error.end(), in_word) ? error : "";
}

HttpAnswer ask(const FormPost& form) {
  try {
    return post_form(form);
  } catch (const OutgoingError& e) {
    throw ProviderError(e.what(), false);
  }
}

Json body_of(const HttpAnswer& answer) {
  Json body = Json::parse(answer.body).value_or(Json());
  if (answer.status >= 200 && answer.status < 300) {
    if (body.is_object()) return body;
    throw ProviderError("its answer isn't understood", false);
  }
  const std::string error = shown(body.text_or("error", ""));
  const bool client_error = answer.status >= 400 && answer.status < 500;
  const bool not_now = answer.status == 429 || answer.status == 503;
  throw ProviderError("it answered " + std::to_string(answer.status) + (error.empty() ? "" : " " + error),
                      client_error && is_final(error), not_now ? answer.retry_after : 0);
}

// Some say no with a 200.
[[noreturn]] void no_token(const Json& body) {
  const std::string error = shown(body.text_or("error", ""));
  throw ProviderError("its answer has no access token" + (error.empty() ? "" : ", but says " + error), false);
}

std::int64_t expiration(const Json& body) {
  const Json& expires_in = body.get("expires_in");
  double seconds = usual_lifetime;
  if (expires_in.is_number()) seconds = expires_in.number();
  // Some write it as a text.
  if (expires_in.is_string()) seconds = std::atof(std::string(expires_in.text()).c_str());
  const double most = longest_lifetime;
  return unix_seconds() + static_cast<std::int64_t>(std::clamp(std::isnan(seconds) ? 0.0 : seconds, 0.0, most));
}

Json scope_list(const Json& body, const Json& asked) {
  const Json& given = body.get("scope");
  if (given.is_array()) return given;
  if (!given.is_string() || given.text().empty()) return asked;
  Json list = Json::array();
  std::string_view rest = given.text();
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (!word.empty()) list.append(word);
  }
  return list;
}

// Servers read other characters in two ways, as they are and encoded (RFC 6749, 2.3.1).
bool fits_basic(const Client& client) {
  return !client.secret.empty() && percent_encoded(client.id) == client.id &&
         percent_encoded(client.secret) == client.secret;
}

// There is one reading of a form.
void name_client(FormPost& form, const Client& client) {
  form.fields.emplace_back("client_id", client.id);
  if (!client.secret.empty()) form.fields.emplace_back("client_secret", client.secret);
}

FormPost form_to(const Settings& settings, const OAuth2Service& service) {
  FormPost form;
  form.url = service.token_url;
  form.timeout = settings.external.timeout;
  form.plain = settings.external.plain_http;
  form.rules = settings.outgoing;
  form.ca = settings.external.ca;
  return form;
}

}  // namespace

Json granted(const HttpAnswer& answer, const std::string& refresh_token, const Json& scope) {
  const Json body = body_of(answer);
  const std::string access_token = body.text_or("access_token", ""), given = body.text_or("refresh_token", "");
  const std::string& kept = given.empty() ? refresh_token : given;
  if (access_token.empty()) no_token(body);
  if (kept.empty()) throw ProviderError("its answer has no refresh token", false);
  return Json::object({{"access_token", access_token},
                       {"refresh_token", kept},
                       {"token_expiration", expiration(body)},
                       {"scope", scope_list(body, scope)}});
}

std::string refusal(const std::string& error) {
  const std::string code = shown(error);
  return "the service, or the person who was asked, refused it" + (code.empty() ? "" : ": " + code);
}

Client client_of(const Json& config) {
  Client client{config.text_or("client_id", ""), config.text_or("client_secret", "")};
  if (client.id.empty()) throw std::runtime_error("the tenant's configuration of the service has no client_id");
  return client;
}

Json redeem(const Settings& settings, const OAuth2Service& service, const Client& client, const Grant& grant,
            const Json& scope) {
  FormPost form = form_to(settings, service);
  form.fields = {{"grant_type", "authorization_code"}, {"code", grant.code}, {"redirect_uri", grant.redirect_uri}};
  if (grant.verifier) form.fields.emplace_back("code_verifier", *grant.verifier);
  if (fits_basic(client))
    form.basic = {client.id, client.secret};
  else
    name_client(form, client);
  return granted(ask(form), "", scope);
}

// Here the client is named in the form: so it has always been.
Json renew(const Settings& settings, const OAuth2Service& service, const Client& client, const Json& data) {
  const std::string old_token = data.text_or("refresh_token", "");
  FormPost form = form_to(settings, service);
  form.fields = {{"grant_type", "refresh_token"}, {"refresh_token", old_token}};
  name_client(form, client);
  return granted(ask(form), old_token, data.get("scope"));
}

}  // namespace wazoauth::external
