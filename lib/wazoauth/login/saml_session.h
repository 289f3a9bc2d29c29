// Logins that an identity provider vouched for: docs/spec/federation.md section 4.2, "Using the session".
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

class SamlProvider : public IdentityProvider {
 public:
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;
};

}  // namespace wazoauth
