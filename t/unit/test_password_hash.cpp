// Our PBKDF2 against OpenSSL's, and what is built on it.
#include <openssl/evp.h>

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/base/password_hash.h"

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

void test_what_is_stored(void**) {
  const auto salt = random_salt();
  assert_int_equal(salt.size(), 64);
  assert_true(salt != random_salt());
  const auto stored = hash_password("secret", salt, 5);
  assert_int_equal(stored.size(), 128);
  assert_true(is_stored_hash(hash_password("secret", salt, 5), stored));
  assert_false(is_stored_hash(hash_password("Secret", salt, 5), stored));
  assert_false(is_stored_hash(hash_password("secret", salt, 5), stored.substr(1)));
  assert_false(is_stored_hash(hash_password("secret", salt, 5), ""));
}

// Passwords and salts of all lengths around those where another block begins.
std::list<PasswordToHash> some_passwords(std::size_t number, unsigned seed) {
  std::list<PasswordToHash> passwords;
  for (unsigned i = 0; i < number; ++i)
    passwords.push_back({bytes((seed * 37 + i * 29) % 300, seed + i), bytes((seed * 23 + i * 31) % 260, seed * i), ""});
  return passwords;
}

std::vector<PasswordToHash*> pointers(std::list<PasswordToHash>& passwords) {
  std::vector<PasswordToHash*> all;
  for (PasswordToHash& each : passwords) all.push_back(&each);
  return all;
}

void check_hashes(const std::list<PasswordToHash>& passwords, int iterations) {
  for (const PasswordToHash& each : passwords)
    assert_string_equal(each.hash.c_str(), reference(each.password, each.salt, iterations).c_str());
}

void test_every_kernel_at_every_fill(void**) {
  for (const Sha512Lanes& kernel : sha512_lanes()) {
    print_message("kernel %s\n", kernel.name);
    assert_true(kernel.lanes <= most_sha512_lanes);
    assert_true(hashes_right(kernel));
    for (std::size_t fill = 1; fill <= kernel.lanes; ++fill) {
      for (unsigned seed = 0; seed < 40; ++seed) {
        const int iterations = 1 + static_cast<int>(seed) % 7;
        auto passwords = some_passwords(fill, seed);
        hash_passwords_by(kernel, pointers(passwords), iterations);
        check_hashes(passwords, iterations);
      }
    }
    auto passwords = some_passwords(kernel.lanes, 7);
    hash_passwords_by(kernel, pointers(passwords), password_iterations);
    check_hashes(passwords, password_iterations);
  }
}

void test_a_kernel_that_is_wrong_in_one_lane_is_found(void**) {
  for (const Sha512Lanes& kernel : sha512_lanes()) {
    static Sha512Lanes right;
    static std::size_t wrong_lane;
    right = kernel;
    Sha512Lanes wrong = kernel;
    wrong.iterate_hmac = [](const std::uint64_t* inner, const std::uint64_t* outer, std::uint64_t* digest,
                            std::uint64_t* sum, int times) {
      right.iterate_hmac(inner, outer, digest, sum, times);
      sum[7 * right.lanes + wrong_lane] ^= 1;
    };
    for (wrong_lane = 0; wrong_lane < kernel.lanes; ++wrong_lane) assert_false(hashes_right(wrong));
  }
}

void test_any_number_together(void**) {
  for (std::size_t number = 0; number <= 3 * most_sha512_lanes; ++number) {
    auto passwords = some_passwords(number, 3);
    hash_passwords(pointers(passwords), 4);
    check_hashes(passwords, 4);
  }
}

void test_how_many_are_hashed_together(void**) {
  assert_int_equal(hashed_together(0), 1);
  assert_int_equal(hashed_together(1), 1);
  std::size_t most = 1;
  for (const Sha512Lanes& kernel : sha512_lanes()) most = std::max(most, kernel.lanes);
  assert_int_equal(hashed_together(1000), most);
  for (std::size_t waiting = 1; waiting < 2 * most_sha512_lanes; ++waiting)
    assert_in_range(hashed_together(waiting), 1, std::min(waiting, most));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_every_length_of_password),
      cmocka_unit_test(test_every_length_of_salt),
      cmocka_unit_test(test_iterations),
      cmocka_unit_test(test_what_is_stored),
      cmocka_unit_test(test_every_kernel_at_every_fill),
      cmocka_unit_test(test_a_kernel_that_is_wrong_in_one_lane_is_found),
      cmocka_unit_test(test_any_number_together),
      cmocka_unit_test(test_how_many_are_hashed_together),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
