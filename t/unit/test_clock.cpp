// Which clock is which. What a step of the wall clock does to an nginx is seen in t/e2e/test_clock.py.
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <fstream>  // before cmocka.h, whose macro "fail" is one of its names
extern "C" {
#include <cmocka.h>
}

#include <ctime>
#include <thread>
#include <type_traits>

#include "wazoauth/base/clock.h"

namespace {

using namespace wazoauth;
using namespace std::chrono_literals;

static_assert(!std::is_convertible_v<std::int64_t, BootTime> && !std::is_convertible_v<UnixTime, BootTime>);
static_assert(!std::is_constructible_v<BootTime, UnixTime> && !std::is_constructible_v<BootTime, std::int64_t>);

void wall_clock(void**) {
  const std::int64_t before = std::time(nullptr);
  const std::int64_t seconds = unix_seconds();
  const std::int64_t after = std::chrono::floor<std::chrono::seconds>(unix_time()).time_since_epoch().count();
  assert_true(before <= seconds && seconds <= after && after <= std::time(nullptr) + 1);
}

// /proc/uptime is CLOCK_BOOTTIME in hundredths of seconds, for every process.
BootTime uptime() {
  double seconds = 0;
  std::ifstream("/proc/uptime") >> seconds;
  return BootTime(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

void counts_from_the_start_of_the_machine(void**) {
  const BootTime before = BootClock::now();
  const BootTime told = uptime();
  const BootTime after = BootClock::now();
  assert_true(before - 11ms <= told && told <= after);
  std::this_thread::sleep_for(5ms);
  assert_true(BootClock::now() - after >= 5ms - 1ms);
}

void is_the_same_in_all_processes(void**) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const BootTime before = BootClock::now();
  const pid_t child = fork();
  if (child == 0) {
    const BootTime now = BootClock::now();
    _exit(write(ends[1], &now, sizeof now) == sizeof now ? 0 : 1);
  }
  BootTime theirs;
  assert_int_equal(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
  assert_true(before <= theirs && theirs <= BootClock::now());
  int status = 1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(wall_clock),
      cmocka_unit_test(counts_from_the_start_of_the_machine),
      cmocka_unit_test(is_the_same_in_all_processes),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
