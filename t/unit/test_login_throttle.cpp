// Who has to wait, and who mustn't.
#include <algorithm>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/login/throttle.h"

using wazoauth::gate::LoginThrottle;

namespace {

constexpr std::int64_t refused = -1, minute = 60000, hashing = 80;
constexpr const char* here = "192.0.2.1";

class Throttle {
 public:
  Throttle() { LoginThrottle::format(words_.data()); }

  LoginThrottle::Try attempt(const std::string& address, const std::string& login, const std::string& secret) {
    return LoginThrottle(words_.data()).make_try(address, login, secret);
  }
  std::int64_t begin(LoginThrottle::Try& attempt, std::int64_t now) {
    return LoginThrottle(words_.data()).begin(attempt, now).value_or(refused);
  }
  void wrong(const LoginThrottle::Try& attempt, std::int64_t now) { LoginThrottle(words_.data()).wrong(attempt, now); }
  void right(const LoginThrottle::Try& attempt) { LoginThrottle(words_.data()).right(attempt); }
  void unjudged(const LoginThrottle::Try& attempt) { LoginThrottle(words_.data()).unjudged(attempt); }

  // One that is wrong, judged as soon as it may be. When it began, or `refused`.
  std::int64_t guess(const std::string& address, const std::string& login, std::int64_t now, std::string secret = {}) {
    if (secret.empty()) secret = "another password " + std::to_string(++secrets_);
    LoginThrottle::Try made = attempt(address, login, secret);
    const std::int64_t wait = begin(made, now);
    if (wait == refused) return refused;
    wrong(made, now + wait);
    return now + wait;
  }
  void guess(int times, const std::string& address, const std::string& login, std::int64_t now) {
    for (int i = 0; i < times; ++i) guess(address, login, now);
  }

  // How long somebody with another password would have to wait.
  std::int64_t wait(const std::string& address, const std::string& login, std::int64_t now) const {
    std::vector<std::uint64_t> copy = words_;
    LoginThrottle throttle(copy.data());
    LoginThrottle::Try attempt = throttle.make_try(address, login, "the right password");
    return throttle.begin(attempt, now).value_or(refused);
  }

  // Comes with the right password.
  std::int64_t succeed(const std::string& address, const std::string& login, std::int64_t now) {
    LoginThrottle::Try owner = attempt(address, login, "the right password");
    const std::int64_t waited = begin(owner, now);
    if (waited != refused) right(owner);
    return waited;
  }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(LoginThrottle::size / 8);
  int secrets_ = 0;
};

// -- what guessing costs

void the_sixth_guess_has_to_wait(void**) {
  Throttle throttle;
  throttle.guess(4, here, "alice", 1000);
  assert_int_equal(throttle.wait(here, "alice", 1000), 0);
  throttle.guess(1, here, "alice", 1000);
  assert_int_equal(throttle.wait(here, "alice", 1000), 500);
  assert_int_equal(throttle.wait(here, "bob", 1000), 0);
  assert_int_equal(throttle.wait("192.0.2.2", "alice", 1000), 0);
  for (const std::int64_t start : {1500, 2500, 4500, 8500, 16500})  // one after the other
    assert_int_equal(throttle.guess(here, "alice", 1000), start);
  assert_int_equal(throttle.guess(here, "alice", 1000), refused);
  assert_int_equal(throttle.succeed(here, "alice", 16500), 8000);
  assert_int_equal(throttle.wait(here, "alice", 16500), 0);
}

void many_guesses_at_once_are_no_more_than_in_a_row(void**) {
  Throttle throttle;
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    LoginThrottle::Try guess = throttle.attempt(here, "alice", std::to_string(i));
    waits.push_back(throttle.begin(guess, 1000));  // none is judged by now
  }
  const std::vector<std::int64_t> right{0, 0, 0, 0, 0, 500, 1500, 3500, 7500, 15500, refused, refused};
  assert_true(waits == right);
}

// Whose client has left before anything was judged.
void a_guess_that_nobody_waits_for_counts(void**) {
  Throttle throttle;
  for (int i = 0; i < 5; ++i) {
    LoginThrottle::Try guess = throttle.attempt(here, "alice", std::to_string(i));
    assert_int_equal(throttle.begin(guess, 1000), 0);
  }
  assert_int_equal(throttle.wait(here, "alice", 1000), 500);
}

int guesses(std::int64_t from, std::int64_t until, const std::vector<std::int64_t>& all) {
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](auto at) { return from <= at && at < until; }));
}

// As fast as answers come, and all the time.
void what_a_guesser_gets(void**) {
  for (const bool patient : {true, false}) {
    Throttle throttle;
    std::vector<std::int64_t> all;
    for (std::int64_t now = 1000; now < 10 * minute; now += 10) {
      const std::int64_t began = throttle.guess(here, "alice", now);
      if (began == refused) continue;
      all.push_back(began);
      if (patient) now = began + hashing;
    }
    assert_in_range(guesses(0, minute, all), 13, 17);
    for (std::int64_t from = minute; from < 9 * minute; from += minute)
      assert_in_range(guesses(from, from + minute, all), 7, 8);
  }
}

void who_tries_all_logins_is_slowed_down(void**) {
  Throttle throttle;
  std::vector<std::int64_t> all;
  int login = 0;
  for (std::int64_t now = 1000; now < 5 * minute; now += 10) {
    const std::int64_t began = throttle.guess(here, "login" + std::to_string(++login), now);
    if (began != refused) all.push_back(began);
  }
  assert_in_range(guesses(0, minute, all), 100, 130);
  for (std::int64_t from = minute; from < 4 * minute; from += minute)
    assert_in_range(guesses(from, from + minute, all), 55, 65);
}

void who_is_refused_takes_nobodys_turn(void**) {
  Throttle throttle;
  throttle.guess(60, here, "", 1000);
  throttle.guess(10, here, "alice", 1000);
  const std::int64_t neighbour = throttle.wait(here, "bob", 1000);
  assert_true(neighbour > 0);
  for (int i = 0; i < 100; ++i) assert_int_equal(throttle.guess(here, "alice", 1000), refused);
  assert_int_equal(throttle.wait(here, "bob", 1000), neighbour);
}

void failures_now_and_then_are_forgotten(void**) {
  Throttle throttle;
  std::int64_t now = 1000;
  for (int i = 0; i < 500; ++i) throttle.guess(here, "phone" + std::to_string(i), now += 1500);
  assert_int_equal(throttle.wait(here, "neighbour", now), 0);
  for (int i = 0; i < 90; ++i) throttle.guess(here, "guess" + std::to_string(i), now += 100);
  assert_int_not_equal(throttle.wait(here, "neighbour", now), 0);
  assert_int_equal(throttle.wait(here, "neighbour", now + 40000), 0);
}

void guesses_at_one_login_are_not(void**) {
  Throttle throttle;
  std::int64_t now = 1000;
  for (int i = 0; i < 5; ++i) throttle.guess(here, "alice", now += 50000);
  assert_int_equal(throttle.wait(here, "alice", now), 500);
  assert_int_equal(throttle.wait(here, "alice", now + 61000), 0);
}

// A directory that is away says nothing about a password, and what makes a login right without one makes up for
// nothing.
void what_nobody_judges_never_was(void**) {
  Throttle throttle;
  throttle.guess(4, here, "alice", 1000);
  for (int i = 0; i < 20; ++i) {
    LoginThrottle::Try guess = throttle.attempt(here, "alice", std::to_string(i));
    assert_int_equal(throttle.begin(guess, 1000), 0);
    throttle.unjudged(guess);
  }
  assert_int_equal(throttle.wait(here, "alice", 1000), 0);
  throttle.guess(1, here, "alice", 2000);
  assert_int_equal(throttle.wait(here, "alice", 2000), 500);
}

void right_ones_keep_no_failures_alive(void**) {
  Throttle throttle;
  throttle.guess(4, here, "alice", 1000);
  for (std::int64_t now = 1000; now < 70000; now += 5000) {
    LoginThrottle::Try good = throttle.attempt(here, "alice", "directory's");
    assert_int_equal(throttle.begin(good, now), 0);
    throttle.unjudged(good);
  }
  throttle.guess(4, here, "alice", 70000);
  assert_int_equal(throttle.wait(here, "alice", 70000), 0);
}

void floods_that_nobody_judges_push_nothing_out(void**) {
  Throttle throttle;
  throttle.guess(5, here, "alice", 1000);
  assert_int_equal(throttle.guess(here, "bob", 1000, "old"), 1000);
  for (int i = 0; i < 20000; ++i) {
    LoginThrottle::Try guess = throttle.attempt("192.0.2.9", std::to_string(i), "x");
    throttle.begin(guess, 1001);
    throttle.unjudged(guess);
  }
  assert_int_equal(throttle.wait(here, "alice", 1001), 499);
  for (int i = 0; i < 10; ++i) throttle.guess(here, "bob", 1001, "old");
  assert_int_equal(throttle.wait(here, "bob", 1001), 0);
}

// -- the same wrong password again

void the_same_wrong_password_is_no_guess(void**) {
  Throttle throttle;
  for (std::int64_t now = 1000; now < 10 * minute; now += 1000)
    assert_int_equal(throttle.guess(here, "alice", now, "old"), now);
  throttle.guess(3, here, "alice", 10 * minute);
  assert_int_equal(throttle.wait(here, "alice", 10 * minute), 0);
  throttle.guess(1, here, "alice", 10 * minute);  // the fourth: the old one counted, too, but long ago
  assert_int_equal(throttle.wait(here, "alice", 10 * minute), 0);
  throttle.guess(1, here, "alice", 10 * minute);
  assert_int_equal(throttle.wait(here, "alice", 10 * minute), 500);
  assert_int_equal(throttle.guess(here, "alice", 10 * minute, "old"), 10 * minute);  // and is none now
}

void it_is_a_guess_elsewhere(void**) {
  Throttle throttle;
  for (const char* address : {here, "192.0.2.2"}) {
    for (const char* login : {"alice", "bob"}) {
      throttle.guess(4, address, login, 1000);
      assert_int_equal(throttle.wait(address, login, 1000), 0);
      throttle.guess(address, login, 1000, "old");
      assert_int_equal(throttle.wait(address, login, 1000), 500);
    }
  }
}

void at_once_it_counts_once(void**) {
  Throttle throttle;
  std::vector<LoginThrottle::Try> all(20, throttle.attempt(here, "alice", "old"));
  for (LoginThrottle::Try& each : all) assert_int_equal(throttle.begin(each, 1000), 0);
  for (const LoginThrottle::Try& each : all) throttle.wrong(each, 1080);
  throttle.guess(3, here, "alice", 1080);
  assert_int_equal(throttle.wait(here, "alice", 1080), 0);
  throttle.guess(1, here, "alice", 1080);
  assert_int_equal(throttle.wait(here, "alice", 1080), 500);
}

// That it was tried before is no way around the queue.
void what_waits_for_its_turn_is_not_known_yet(void**) {
  Throttle throttle;
  throttle.guess(9, here, "alice", 1000);
  LoginThrottle::Try first = throttle.attempt(here, "alice", "guess"), again = first;
  const std::int64_t wait = throttle.begin(first, 9000);
  assert_true(wait > 0);
  assert_true(throttle.begin(again, 9000) > wait);
}

// ... and whose twin was taken back counts itself.
void one_of_two_counts(void**) {
  for (const bool first_leaves : {true, false}) {
    Throttle throttle;
    throttle.guess(4, here, "alice", 1000);
    LoginThrottle::Try first = throttle.attempt(here, "alice", "guess"), second = first;
    throttle.begin(first, 1000);
    throttle.begin(second, 1000);
    throttle.unjudged(first_leaves ? first : second);
    throttle.wrong(first_leaves ? second : first, 3000);
    assert_int_equal(throttle.wait(here, "alice", 3000), 500);
    throttle.guess(1, here, "alice", 9000);
    assert_int_equal(throttle.wait(here, "alice", 9000), 1000);
  }
}

// It is looked at again each time: not as often as a machine can ask.
void repeats_have_a_pace(void**) {
  Throttle throttle;
  int looked_at = 0;
  for (std::int64_t now = 1000; now < 1000 + minute; now += 20) {
    if (throttle.guess(here, "alice", now, "old") != refused) ++looked_at;
  }
  assert_in_range(looked_at, 240, 360);  // 4 a second, and some at the beginning and in the queue
  assert_int_equal(throttle.wait(here, "alice", 1000 + minute), 0);
}

void a_password_may_become_the_right_one(void**) {
  Throttle throttle;
  throttle.guess(here, "alice", 1000, "the right password");  // the phone had it before the account
  for (int i = 0; i < 50; ++i) assert_int_equal(throttle.succeed(here, "alice", 2000), 0);
  throttle.guess(4, here, "alice", 2000);
  assert_int_equal(throttle.wait(here, "alice", 2000), 0);
}

// -- the owner among others at one address

// Forgotten phones with old passwords, each of which tries every two seconds.
void the_owner_among_phones(void**) {
  for (const int phones : {1, 2, 4, 11}) {
    Throttle throttle;
    for (std::int64_t now = 1000; now < 10 * minute; now += 2000) {
      for (int phone = 0; phone < phones; ++phone)
        throttle.guess(here, "alice", now + phone, "old " + std::to_string(phone));
      if (now % 30000 != 1000) continue;
      const std::int64_t waited = throttle.succeed(here, "alice", now + 100);
      if (phones <= 4 || now > minute) assert_int_equal(waited, 0);
    }
  }
}

// Somebody there guesses, one guess after the other.
void the_owner_and_a_guesser(void**) {
  Throttle throttle;
  std::int64_t answered = 0, longest = 0;
  for (std::int64_t now = 1000; now < 20 * minute; now += 10) {
    if (now >= answered) answered = throttle.guess(here, "alice", now) + hashing;
    if (now % 7000 != 0) continue;
    const std::int64_t waited = throttle.wait(here, "alice", now);
    assert_true(waited != refused);
    longest = std::max(longest, waited);
  }
  assert_in_range(longest, 8000, 16100);
}

// -- who is who

void spellings_of_one_login(void**) {
  Throttle throttle;
  for (const char* login : {"\xc3\xa9ric", "\xc3\x89ric", "\xc3\x89RIC", "e\xcc\x81ric", "eric"})
    throttle.guess(here, login, 1000);
  assert_int_equal(throttle.wait(here, "\xc3\x89rIc", 1000), 500);
  assert_int_equal(throttle.wait(here, "frederic", 1000), 0);
  // As directories read them (RFC 4518).
  const std::vector<const char*> others{"alice smith",
                                        " alice smith",
                                        "alice smith ",
                                        "Alice   Smith",
                                        "alice\tsmith",
                                        "alice\xc2\xa0smith\xc2\xa0",
                                        "al\xc2\xadice smith",
                                        "\u200balice \u200dsmith",
                                        "\uff41\uff4c\uff49\uff43\uff45 smith",
                                        "alice\xe3\x80\x80smith",
                                        "alice\x01 smith",
                                        "alice smith\xef\xbb\xbf"};
  for (const char* spelling : others) {
    Throttle fresh;
    for (int i = 0; i < 5; ++i) fresh.guess(here, spelling, 1000);
    assert_int_equal(fresh.wait(here, "alice smith", 1000), 500);
  }
}

void a_login_that_nobody_sees_is_one(void**) {
  Throttle throttle;
  throttle.guess(5, here, " ", 1000);
  assert_int_equal(throttle.wait(here, "\xc2\xad", 1000), 500);
  assert_int_equal(throttle.wait(here, "", 1000), 0);
}

void a_login_of_nobody_is_no_login(void**) {
  Throttle throttle;
  throttle.guess(59, here, "", 1000);
  assert_int_equal(throttle.wait(here, "", 1000), 0);
  throttle.guess(1, here, "", 1000);
  assert_int_equal(throttle.wait(here, "", 1000), 100);  // as anybody at this address
  assert_int_equal(throttle.wait(here, "alice", 1000), 100);
  assert_int_equal(throttle.wait("192.0.2.2", "", 1000), 0);
}

void neighbours_by_address(void**) {
  const auto slowed = [](const char* guesser, const char* other) {
    Throttle throttle;
    throttle.guess(5, guesser, "alice", 1000);
    return throttle.wait(other, "alice", 1000) > 0;
  };
  assert_true(slowed("2001:db8::1", "2001:db8::ffff"));
  assert_false(slowed("2001:db8::1", "2001:db8:0:1::1"));
  assert_true(slowed("64:ff9b::c000:201", "64:ff9b::c000:201"));
  assert_false(slowed("64:ff9b::c000:201", "64:ff9b::c000:202"));  // IPv4, translated
  assert_false(slowed("192.0.2.1", "192.0.2.2"));
  assert_true(slowed("unix:", "unix:"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(the_sixth_guess_has_to_wait),
                              cmocka_unit_test(many_guesses_at_once_are_no_more_than_in_a_row),
                              cmocka_unit_test(a_guess_that_nobody_waits_for_counts),
                              cmocka_unit_test(what_a_guesser_gets),
                              cmocka_unit_test(who_tries_all_logins_is_slowed_down),
                              cmocka_unit_test(who_is_refused_takes_nobodys_turn),
                              cmocka_unit_test(failures_now_and_then_are_forgotten),
                              cmocka_unit_test(guesses_at_one_login_are_not),
                              cmocka_unit_test(what_nobody_judges_never_was),
                              cmocka_unit_test(right_ones_keep_no_failures_alive),
                              cmocka_unit_test(floods_that_nobody_judges_push_nothing_out),
                              cmocka_unit_test(the_same_wrong_password_is_no_guess),
                              cmocka_unit_test(it_is_a_guess_elsewhere),
                              cmocka_unit_test(at_once_it_counts_once),
                              cmocka_unit_test(what_waits_for_its_turn_is_not_known_yet),
                              cmocka_unit_test(one_of_two_counts),
                              cmocka_unit_test(repeats_have_a_pace),
                              cmocka_unit_test(a_password_may_become_the_right_one),
                              cmocka_unit_test(the_owner_among_phones),
                              cmocka_unit_test(the_owner_and_a_guesser),
                              cmocka_unit_test(spellings_of_one_login),
                              cmocka_unit_test(a_login_that_nobody_sees_is_one),
                              cmocka_unit_test(a_login_of_nobody_is_no_login),
                              cmocka_unit_test(neighbours_by_address)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
