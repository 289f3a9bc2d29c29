// Who has to wait, and who mustn't.
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/login/throttle.h"

using wazoauth::gate::basic_login;
using wazoauth::gate::LoginThrottle;

namespace {

struct Memory {
  std::vector<std::uint64_t> words = std::vector<std::uint64_t>(LoginThrottle::size / 8);
  Memory() { LoginThrottle::format(words.data()); }
};

struct Throttle : private Memory, public LoginThrottle {
  Throttle() : LoginThrottle(words.data()) {}
};

constexpr const char* here = "192.0.2.1";

void case_is_no_other_login(void**) {
  Throttle throttle;
  for (const char* login : {"\xc3\xa9ric", "\xc3\x89ric", "\xc3\x89RIC", "\xc3\xa9RIC", "\xc3\xa9riC"})
    throttle.failed(here, login, 1000);
  assert_int_equal(throttle.delay(here, "\xc3\x89rIc", 1000).value(), 500);
  assert_int_equal(throttle.delay(here, "eric", 1000).value(), 0);
}

void a_login_of_nobody_is_no_login(void**) {
  Throttle throttle;
  for (int i = 0; i < 59; ++i) throttle.failed(here, "", 1000);
  assert_int_equal(throttle.delay(here, "", 1000).value(), 0);
  throttle.failed(here, "", 1000);
  assert_int_equal(throttle.delay(here, "", 1000).value(), 100);  // as anybody at this address
  assert_int_equal(throttle.delay("192.0.2.2", "", 1000).value(), 0);
}

void failures_now_and_then_are_forgotten(void**) {
  Throttle throttle;
  std::int64_t now = 1000;
  for (int i = 0; i < 500; ++i) throttle.failed(here, "phone" + std::to_string(i), now += 1500);
  assert_int_equal(throttle.delay(here, "neighbour", now).value(), 0);
  for (int i = 0; i < 90; ++i) throttle.failed(here, "guess" + std::to_string(i), now += 100);
  assert_true(throttle.delay(here, "neighbour", now).value() > 0);
  assert_int_equal(throttle.delay(here, "neighbour", now + 40000).value(), 0);
}

void guesses_at_one_login_are_not(void**) {
  Throttle throttle;
  std::int64_t now = 1000;
  for (int i = 0; i < 5; ++i) throttle.failed(here, "alice", now += 50000);
  assert_int_equal(throttle.delay(here, "alice", now).value(), 500);
  assert_int_equal(throttle.delay(here, "alice", now + 61000).value(), 0);
}

void logins_are_read_in_any_encoding(void**) {
  assert_string_equal(basic_login("Basic w6k6eA==").c_str(), "\xc3\xa9");
  assert_string_equal(basic_login("Basic 6Tp4").c_str(), "\xc3\xa9");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(case_is_no_other_login), cmocka_unit_test(a_login_of_nobody_is_no_login),
                              cmocka_unit_test(failures_now_and_then_are_forgotten),
                              cmocka_unit_test(guesses_at_one_login_are_not),
                              cmocka_unit_test(logins_are_read_in_any_encoding)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
