// Logins with a password that the directory of a tenant knows: ../shared/spec/federation.md section 3.2.
#pragma once

#include "wazoauth/idp/identity_provider.h"

namespace wazoauth {

class LdapProvider : public IdentityProvider {
 public:
  bool takes_password() const override { return true; }
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;
};

}  // namespace wazoauth
