// Logins with a password that the directory of a tenant knows: docs/spec/federation.md section 3.2.
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

namespace ldap {
class Directories;
}

class LdapProvider : public IdentityProvider {
 public:
  explicit LdapProvider(ldap::Directories& directories) : directories_(directories) {}
  bool takes_password() const override { return true; }
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;

 private:
  ldap::Directories& directories_;
};

}  // namespace wazoauth
