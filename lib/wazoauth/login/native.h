// Logins with a password that is in the database.
#pragma once

#include "wazoauth/login/identity_provider.h"
#include "wazoauth/login/login_memory.h"

namespace wazoauth {

class NativeProvider : public IdentityProvider {
 public:
  explicit NativeProvider(std::chrono::minutes memory) : memory_(memory) {}
  bool takes_password() const override { return true; }
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;

 private:
  mutable LoginMemory memory_;
};

}  // namespace wazoauth
