// A moment after which waiting ends.
#pragma once

#include <algorithm>
#include <chrono>

namespace wazoauth {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::milliseconds;

  explicit Deadline(Time limit) : end_(Clock::now() + limit) {}

  Time left() const { return std::max(Time(0), std::chrono::ceil<Time>(end_ - Clock::now())); }
  bool passed() const { return left().count() == 0; }
  Deadline at_most(Time limit) const { return Deadline(std::min(limit, left())); }  // the nearer one

 private:
  Clock::time_point end_;
};

}  // namespace wazoauth
