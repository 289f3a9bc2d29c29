// Logins with a password that the directory of a tenant knows: docs/spec/federation.md section 3.2.
#pragma once

#include <string_view>

#include "wazoauth/ldap/login.h"
#include "wazoauth/login/identity_provider.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

namespace ldap {
class Directories;
}  // namespace ldap

// Of a row as ldap.of_tenant has them, with a host.
ldap::Configuration directory_in(const Rows& row);
// Only one of the directory's own tenant: the administrator of a directory can put any address into it.
std::optional<std::string> user_of_directory(UnitOfWork& unit, const std::string& email, const std::string& tenant);
std::string no_user_of_directory(const std::string& email, const std::string& tenant);  // in words

class LdapProvider : public IdentityProvider {
 public:
  explicit LdapProvider(ldap::Directories& directories) : directories_(directories) {}
  bool takes_password() const override { return true; }
  Step identify(Context& context, const LoginPtr& login, Finish finish) const override;

 private:
  ldap::Directories& directories_;
};

}  // namespace wazoauth
