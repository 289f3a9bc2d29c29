// Logins with a password that the directory of a tenant knows: ../shared/spec/federation.md section 3.2.
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

class LdapProvider : public IdentityProvider {
 public:
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;
};

}  // namespace wazoauth
