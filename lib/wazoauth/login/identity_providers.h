// The identity providers of this server, and which of them a login asks for.
#pragma once

#include "wazoauth/login/directory.h"
#include "wazoauth/login/native.h"
#include "wazoauth/login/refresh_token.h"
#include "wazoauth/login/saml_session.h"

namespace wazoauth {

class IdentityProviders {
 public:
  IdentityProviders(ldap::Directories& directories, std::chrono::minutes login_memory)
      : ldap_(directories), native_(login_memory) {}

  // By the keys that the request has and the order that the configuration gives; null when it asks for none, or for one
  // that this server doesn't have.
  const IdentityProvider* choose(const Login& login, const Settings& settings) const;

 private:
  LdapProvider ldap_;
  NativeProvider native_;
  RefreshTokenProvider refresh_token_;
  SamlProvider saml_;
};

}  // namespace wazoauth
