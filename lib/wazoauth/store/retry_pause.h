// The pause before a transaction that others made fail is tried again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace wazoauth {

// Random: those that collided don't meet again. Longer with each failure, up to half a second; the first ten together
// are 2.2 s at most.
inline std::chrono::milliseconds retry_pause(int failures) {
  constexpr std::int64_t first_ms = 10, longest_ms = 500;
  thread_local std::minstd_rand random{std::random_device{}()};
  const std::int64_t longest = std::min(first_ms << std::clamp(failures - 1, 0, 10), longest_ms);
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(1, longest)(random));
}

}  // namespace wazoauth
