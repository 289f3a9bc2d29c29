#include "wazoauth/config/settings.h"
#include "wazoauth/login/directory.h"
#include "wazoauth/login/native.h"
#include "wazoauth/login/refresh_token.h"
#include "wazoauth/login/saml_session.h"

namespace wazoauth {

namespace {

bool asks_for(const std::string& idp, const Login& login) {
  if (idp == "saml") return login.body.has("saml_session_id");
  if (idp == "ldap") return login.credentials && (login.body.has("domain_name") || login.body.has("tenant_id"));
  return false;
}

std::string_view wanted_method(const Login& login, const Settings& settings) {
  if (login.body.has("refresh_token") && login.body.has("client_id")) return "refresh_token";
  for (const std::string& idp : settings.idps) {
    if (asks_for(idp, login)) return idp;
  }
  return login.credentials ? "native" : "";
}

}  // namespace

const IdentityProvider* choose_provider(const Login& login, const Settings& settings) {
  static const LdapProvider ldap;
  static const NativeProvider native;
  static const RefreshTokenProvider refresh_token;
  static const SamlProvider saml;
  const std::string_view method = wanted_method(login, settings);
  if (method == "ldap") return &ldap;
  if (method == "native") return &native;
  if (method == "refresh_token") return &refresh_token;
  if (method == "saml") return &saml;
  return nullptr;
}

std::string Login::attempted() const {
  if (!identity.login.empty()) return identity.login;
  if (body.has("refresh_token") && body.has("client_id"))
    return "refresh token " + log::mask_token(body.get("refresh_token").text());
  if (body.has("saml_session_id")) return "SAML session";
  return credentials ? credentials->login : "";
}

// Written as JSON: whoever sends a line feed doesn't get a line of his own.
void refuse(const Login& login, std::string_view why, log::Level level) {
  log::write(level, "Failed login of " + Json(login.attempted()).dump() + " from " + login.remote_addr +
                        " using agent " + Json(login.user_agent).dump() + ": " + std::string(why));
  throw problems::authentication_failed();
}

}  // namespace wazoauth
