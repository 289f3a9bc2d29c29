// Logins with a refresh token. It stands for its user, whatever that user is called by now.
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

class RefreshTokenProvider : public IdentityProvider {
 public:
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;
};

}  // namespace wazoauth
