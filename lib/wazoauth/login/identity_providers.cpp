#include "wazoauth/login/identity_providers.h"

#include "wazoauth/config/settings.h"

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

const IdentityProvider* IdentityProviders::choose(const Login& login, const Settings& settings) const {
  const std::string_view method = wanted_method(login, settings);
  if (method == "ldap") return &ldap_;
  if (method == "native") return &native_;
  if (method == "refresh_token") return &refresh_token_;
  if (method == "saml") return &saml_;
  return nullptr;
}

}  // namespace wazoauth
