// A password as two columns of auth_user.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

struct Credentials {
  std::string hash;      // password_hash
  std::string salt_hex;  // password_salt, for decode(..., 'hex')
};

// 60-100 ms of CPU: only on threads of the hashing lane.
Credentials make_credentials(std::string_view password);

}  // namespace wazoauth
