// A password as two columns of auth_user.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "wazoauth/rest/step.h"

namespace wazoauth {

// True for methods whose passwords an LDAP directory or an identity provider keeps.
constexpr bool keeps_no_password(std::string_view method) {
  return method == "ldap" || method == "saml";
}

struct StoredPassword {
  std::string hash;      // password_hash
  std::string salt_hex;  // password_salt, for decode(..., 'hex')
};

// 60-100 ms of CPU. Handlers take store_password().
StoredPassword make_stored_password(std::string_view password);

// Hashes it, then goes on with `next` on the database lane.
Step store_password(std::string_view password, std::function<Step(Context&, const StoredPassword&)> next);

}  // namespace wazoauth
