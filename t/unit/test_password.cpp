// Our PBKDF2 against OpenSSL's, and what is built on it.
#include <openssl/evp.h>

#include <string>

#include "check.h"
#include "wazoauth/login/password.h"

using namespace wazoauth;

namespace {

std::string reference(const std::string& password, const std::string& salt, int iterations) {
  unsigned char key[64];
  PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                    reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), iterations,
                    EVP_sha512(), sizeof key, key);
  std::string text;
  char byte[3];
  for (const unsigned char b : key) {
    std::snprintf(byte, sizeof byte, "%02x", b);
    text += byte;
  }
  return text;
}

std::string bytes(std::size_t size, unsigned seed) {
  std::string s;
  for (std::size_t i = 0; i < size; ++i) s += static_cast<char>((i * 131 + seed * 17) & 0xff);
  return s;
}

void test_every_length_of_password(void**) {
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto password = bytes(size, 1);
    assert_string_equal(hash_password(password, bytes(64, 2), 3).c_str(), reference(password, bytes(64, 2), 3).c_str());
  }
}

void test_every_length_of_salt(void**) {
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto salt = bytes(size, 3);
    assert_string_equal(hash_password("secret", salt, 2).c_str(), reference("secret", salt, 2).c_str());
  }
}

void test_iterations(void**) {
  for (const int n : {1, 2, 3, 10, 1000, 250000}) {
    assert_string_equal(hash_password("pässword", bytes(64, 4), n).c_str(),
                        reference("pässword", bytes(64, 4), n).c_str());
  }
}

void test_verify(void**) {
  const auto salt = random_salt();
  assert_int_equal(salt.size(), 64);
  assert_true(salt != random_salt());
  const auto stored = hash_password("secret", salt);
  assert_int_equal(stored.size(), 128);
  assert_true(verify_password("secret", stored, salt));
  assert_false(verify_password("Secret", stored, salt));
  assert_false(verify_password("secret", stored.substr(1), salt));
  assert_false(verify_password("secret", "", salt));
  burn_equal_time("secret");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_every_length_of_password),
      cmocka_unit_test(test_every_length_of_salt),
      cmocka_unit_test(test_iterations),
      cmocka_unit_test(test_verify),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
