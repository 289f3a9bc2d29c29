// The two clocks, and which of them is meant where.
//
// The wall clock is what people and other machines mean by a time: when a token expires, when something happened. It
// may be set at any moment, both ways: nothing is measured with it.
//
// BootClock is for all else: how long ago something was, and until when it holds. It counts from the start of the
// machine, is never set, and is the same in all of the machine's processes, so its times may lie in shared memory.
// Unlike std::chrono::steady_clock, which is as good for the limits of one call, it goes on while the machine sleeps:
// what was confirmed right before that must not look fresh afterwards. Its times are a type of their own, so that the
// compiler refuses the other clock's.
#pragma once

#include <chrono>
#include <cstdint>

namespace wazoauth {

using UnixTime = std::chrono::sys_time<std::chrono::microseconds>;
UnixTime unix_time();
std::int64_t unix_seconds();

struct BootClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using BootTime = BootClock::time_point;

}  // namespace wazoauth
