#include "wazoauth/login/stored_password.h"

#include "wazoauth/base/password_hash.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

StoredPassword make_stored_password(std::string_view password) {
  const std::string salt = random_salt();
  return {hash_password(password, salt), to_hex(salt)};
}

Step store_password(std::string_view password, std::function<Step(Context&, const StoredPassword&)> next) {
  const std::string salt = random_salt();
  return Step::hash(password, salt, [salt, next = std::move(next)](Context& context, const std::string& hash) {
    return next(context, {hash, to_hex(salt)});
  });
}

}  // namespace wazoauth
