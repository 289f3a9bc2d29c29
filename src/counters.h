// Counters of this nginx, for its metrics: one set in memory that the workers share.
#pragma once

#include <atomic>
#include <cstdint>

#include "context.h"

namespace wazoauth::nginx {

namespace counter {

// Their order is the layout that workers of two configurations share, see SharedMemory.
enum Name : unsigned {
  api_from_zone,
  api_answers,
  api_errors,
  logins_delayed,
  logins_refused,
  overloads,
  upgrades_ended,
  events_dropped,
  names,  // how many there are
};

}  // namespace counter

class Counters {
 public:
  void add(counter::Name name, std::uint64_t number = 1) {
    counters_[name].value.fetch_add(number, std::memory_order_relaxed);
  }
  std::uint64_t value(counter::Name name) const { return counters_[name].value.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Counter {
    std::atomic<std::uint64_t> value{0};
  };
  Counter counters_[counter::names];
};

}  // namespace wazoauth::nginx
