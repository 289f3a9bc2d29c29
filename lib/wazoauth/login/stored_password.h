// A password as two columns of auth_user.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

// True for methods whose passwords an LDAP directory or an identity provider keeps.
constexpr bool keeps_no_password(std::string_view method) {
  return method == "ldap" || method == "saml";
}

struct StoredPassword {
  std::string hash;      // password_hash
  std::string salt_hex;  // password_salt, for decode(..., 'hex')
};

// 60-100 ms of CPU: only on threads of the cpu lane.
StoredPassword make_stored_password(std::string_view password);

}  // namespace wazoauth
