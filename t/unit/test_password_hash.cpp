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

void hash_all(PasswordLanes& lanes, std::list<PasswordToHash>& passwords, int iterations) {
  for (PasswordToHash& each : passwords) lanes.join(each, iterations);
  while (!lanes.empty()) lanes.advance();
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
        PasswordLanes lanes(kernel);
        hash_all(lanes, passwords, iterations);
        check_hashes(passwords, iterations);
      }
    }
    auto passwords = some_passwords(kernel.lanes, 7);
    PasswordLanes lanes(kernel);
    hash_all(lanes, passwords, password_iterations);
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

std::size_t widest() {
  std::size_t most = 1;
  for (const Sha512Lanes& kernel : sha512_lanes()) most = std::max(most, kernel.lanes);
  return most;
}

void test_as_many_side_by_side_as_there_are_lanes(void**) {
  for (std::size_t number = 0; number <= widest(); ++number) {
    auto passwords = some_passwords(number, 3);
    PasswordLanes lanes;
    hash_all(lanes, passwords, 4);
    check_hashes(passwords, 4);
  }
}

void test_there_is_room_until_all_lanes_are_in_use(void**) {
  auto passwords = some_passwords(widest(), 5);
  PasswordLanes lanes;
  assert_true(lanes.empty());
  for (PasswordToHash& each : passwords) {
    assert_true(lanes.has_room());
    lanes.join(each, 4);
    assert_false(lanes.empty());
  }
  assert_false(lanes.has_room());
}

// They join one after the other, at all kinds of moments: kernels change under those that are there.
void test_each_joins_when_it_comes(void**) {
  constexpr std::size_t number = 40;
  auto passwords = some_passwords(number, 11);
  PasswordLanes lanes;
  auto next = passwords.begin();
  std::vector<int> iterations;
  for (unsigned turn = 0; next != passwords.end() || !lanes.empty(); ++turn) {
    for (unsigned n = 0; n < turn * 7 % 4 && lanes.has_room() && next != passwords.end(); ++n, ++next) {
      iterations.push_back(1 + static_cast<int>(iterations.size()) * 911 % 6000);
      lanes.join(*next, iterations.back());
    }
    if (!lanes.empty()) lanes.advance();
  }
  std::size_t n = 0;
  for (const PasswordToHash& each : passwords)
    assert_string_equal(each.hash.c_str(), reference(each.password, each.salt, iterations[n++]).c_str());
}

void test_who_joins_last_is_not_waited_for(void**) {
  auto passwords = some_passwords(2, 13);
  PasswordLanes lanes;
  lanes.join(passwords.front(), 2000);
  lanes.advance();
  if (!lanes.has_room()) return;  // this CPU has one lane
  lanes.join(passwords.back(), 100000);
  while (passwords.front().hash.empty()) lanes.advance();
  assert_true(passwords.back().hash.empty());
  while (!lanes.empty()) lanes.advance();
  assert_string_equal(passwords.back().hash.c_str(),
                      reference(passwords.back().password, passwords.back().salt, 100000).c_str());
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
      cmocka_unit_test(test_as_many_side_by_side_as_there_are_lanes),
      cmocka_unit_test(test_there_is_room_until_all_lanes_are_in_use),
      cmocka_unit_test(test_each_joins_when_it_comes),
      cmocka_unit_test(test_who_joins_last_is_not_waited_for),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
