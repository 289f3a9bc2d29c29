// A login at a tenant's directory: docs/spec/federation.md section 3.2, steps 3 to 6.
#pragma once

#include <stdexcept>
#include <string>

#include "wazoauth/ldap/connection.h"

namespace wazoauth::ldap {

// Of one tenant; "" for what isn't there.
struct Configuration {
  std::string tenant_uuid;
  Server server;
  std::string bind_dn, bind_password;
  std::string user_base_dn, user_login_attribute, user_email_attribute, search_filters;
};

// The directory, or its configuration, says no to this login. what() holds no password.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The e-mail address, in lower case, of who logs in with `login` and `password`; neither is empty. Throws Refused or
// Failure.
std::string log_in(const Configuration& configuration, const std::string& login, const std::string& password,
                   const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline);

// The same as far as it goes, step by step: without a login as far as the place where users are, without a password as
// far as the entry. "": no address was asked for. Throws what log_in() throws, at the step that the trial is at.
std::string try_log_in(const Configuration& configuration, const std::string& login, const std::string& password,
                       const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline,
                       Trial& trial);

}  // namespace wazoauth::ldap
