#include "wazoauth/login/stored_password.h"

#include "wazoauth/login/password.h"

namespace wazoauth {

namespace {
std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}
}  // namespace

StoredPassword password_to_store(std::string_view password) {
  const std::string salt = random_salt();
  return {hash_password(password, salt), hex(salt)};
}

}  // namespace wazoauth
