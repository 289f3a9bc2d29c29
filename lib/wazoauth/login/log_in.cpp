#include "wazoauth/login/log_in.h"

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/login/issue.h"

namespace wazoauth {

namespace {

constexpr std::int64_t ten_years = 10 * 365 * 86400;

bool given(const Json& body, std::string_view key) {
  return !body.get(key).is_falsy();
}

std::optional<std::string> complaint(bool applies, const char* text) {
  return applies ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::string> check_offline(const Json& body) {
  if (body.text_or("access_type", "") != "offline") return std::nullopt;
  if (given(body, "refresh_token")) return "cannot use the \"access_type\" \"offline\" with a refresh token";
  return complaint(!given(body, "client_id"),
                   "\"client_id\" must be specified when using \"access_type\" is \"offline\"");
}

std::optional<std::string> check_tenant(const Json& body) {
  return complaint(given(body, "tenant_id") && given(body, "domain_name"),
                   "\"tenant_id\" and \"domain_name\" must be mutually exclusive");
}

std::optional<std::string> check_refresh_token(const Json& body) {
  return complaint(given(body, "refresh_token") && !given(body, "client_id"),
                   "\"client_id\" must be specified when using a \"refresh_token\"");
}

std::optional<std::string> check_saml(const Json& body) {
  return complaint(given(body, "saml_session_id") && given(body, "refresh_token"),
                   "Cannot use a \"saml_session_id\" and a \"refresh_token\" at the same time");
}

Schema token_request() {
  return {{{.name = "backend", .fallback = Json("wazo_user")},
           {.name = "expiration", .type = Type::integer, .minimum = 1, .maximum = ten_years},
           {.name = "access_type", .choices = {"online", "offline"}},
           {.name = "client_id", .min_length = 1, .max_length = 1024},
           {.name = "saml_session_id", .min_length = 1, .max_length = 1024},
           {.name = "refresh_token"},
           {.name = "tenant_id"},
           {.name = "domain_name"}},
          {check_offline, check_tenant, check_refresh_token, check_saml},
          "TokenRequest"};
}

}  // namespace

std::optional<Credentials> basic_credentials(std::string_view authorization) {
  constexpr std::string_view scheme = "Basic ";
  if (!authorization.starts_with(scheme)) return std::nullopt;
  const auto bytes = decode_base64(authorization.substr(scheme.size()));
  if (!bytes) return std::nullopt;
  const std::string text = utf8_or_latin1(*bytes);
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return std::nullopt;
  return Credentials{text.substr(0, colon), text.substr(colon + 1)};
}

std::shared_ptr<const BodySpec> login_body() {
  return takes(token_request(), Report::python);
}

Step log_in(Context& context, const IdentityProviders& providers) {
  const auto login = std::make_shared<Login>();
  login->body = context.valid_body();
  login->credentials = basic_credentials(context.request.header_or_empty("authorization"));
  login->remote_addr = context.request.remote_addr;
  login->user_agent = utf8_or_latin1(context.request.header_or_empty("user-agent"));
  login->mobile = ascii::same("mobile", context.request.header_or_empty("wazo-session-type"));
  context.attempted_login = login->attempted();
  const IdentityProvider* const provider = providers.choose(*login, context.settings);
  const bool by_password = provider && provider->takes_password();
  return Step::judge(context.guess_at(by_password ? login->credentials->login : ""),
                     Step::then(Lane::database, [login, provider](Context& next) {
                       if (!provider) refuse(*login, "no identity provider for this request");
                       return provider->identify(next, login, issue_token);
                     }));
}

}  // namespace wazoauth
