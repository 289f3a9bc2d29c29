// Logins with a password that is in the database.
#pragma once

#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

class NativeProvider : public IdentityProvider {
 public:
  bool takes_password() const override { return true; }
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;
};

}  // namespace wazoauth
