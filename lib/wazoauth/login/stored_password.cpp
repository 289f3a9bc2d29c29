#include "wazoauth/login/stored_password.h"

#include "wazoauth/base/text.h"
#include "wazoauth/login/password.h"

namespace wazoauth {

StoredPassword make_stored_password(std::string_view password) {
  const std::string salt = random_salt();
  return {hash_password(password, salt), to_hex(salt)};
}

}  // namespace wazoauth
