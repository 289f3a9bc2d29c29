#include "wazoauth/base/clock.h"

#include <ctime>

namespace wazoauth {

UnixTime unix_time() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::int64_t unix_seconds() {
  return std::chrono::floor<std::chrono::seconds>(unix_time()).time_since_epoch().count();
}

BootTime BootClock::now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto since = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  return time_point(std::chrono::floor<duration>(since));
}

}  // namespace wazoauth
