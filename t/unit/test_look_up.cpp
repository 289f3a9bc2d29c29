// Names that take their time: a getaddrinfo() of the test's own holds back what begins with "held".
#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "wazoauth/outgoing/connect.h"

using std::chrono::milliseconds;
using wazoauth::Deadline;
using wazoauth::look_up;

namespace {

std::mutex mutex;
std::condition_variable changed;
bool holding = true;
std::atomic<int> asked{0};

void hold(bool on) {
  const std::lock_guard lock(mutex);
  holding = on;
  changed.notify_all();
}

}  // namespace

extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!std::string(host).starts_with("held") || (hints->ai_flags & AI_NUMERICHOST))
    return real(host, port, hints, found);
  ++asked;
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return !holding; });
  return real("192.0.2.1", port, hints, found);
}

namespace {

// What look_up() says, "" for an address.
std::string failure(const std::string& host, milliseconds limit) {
  try {
    return look_up(host, 389, Deadline(limit)).at(0).text() == "192.0.2.1" ? "" : "another address";
  } catch (const wazoauth::Unreachable& e) {
    return e.what();
  }
}

void nobody_waits_longer_than_he_may(void**) {
  const auto start = Deadline::Clock::now();
  assert_string_equal(failure("held-a", milliseconds(50)).c_str(), "held-a can't be looked up in time");
  assert_true(Deadline::Clock::now() - start < milliseconds(1000));
  hold(false);
  assert_string_equal(failure("held-a", milliseconds(5000)).c_str(), "");
  hold(true);
}

void one_name_is_looked_up_once(void**) {
  asked = 0;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { good += failure("held-b", milliseconds(5000)).empty() ? 1 : 0; });
  }
  while (asked == 0) std::this_thread::sleep_for(milliseconds(1));
  for (int i = 0; i < 3; ++i) failure("held-b", milliseconds(20));
  assert_int_equal(asked, 1);
  hold(false);
  for (std::thread& thread : threads) thread.join();
  assert_int_equal(good, 8);
  hold(true);
}

void only_so_many_at_once(void**) {
  for (int i = 0; i < 64; ++i) failure("held-c" + std::to_string(i), milliseconds(0));
  assert_string_equal(failure("held-d", milliseconds(5000)).c_str(), "held-d: too many names are being looked up");
  // Numbers need no thread.
  assert_string_equal(failure("192.0.2.1", milliseconds(0)).c_str(), "");
  hold(false);
  const auto end = Deadline::Clock::now() + milliseconds(5000);
  while (!failure("held-d", milliseconds(5000)).empty()) assert_true(Deadline::Clock::now() < end);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(nobody_waits_longer_than_he_may),
                              cmocka_unit_test(one_name_is_looked_up_once), cmocka_unit_test(only_so_many_at_once)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
