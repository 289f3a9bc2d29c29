// What was counted in the last hour, minute by minute, in memory that all workers of one nginx share: a page that is
// just opened shows it. Nothing waits for a lock, and none of it grows. All of it is good as zeros.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/meters.h"

namespace wazoauth {

// What was counted since the counters began.
struct Tally {
  enum Name : unsigned {
    api_requests,
    api_errors,  // answers of 400 and more
    gated_requests,
    gate_refusals,
    gate_failures,  // nobody could tell whether the token lives
    logins,
    failed_logins,
    names,  // how many there are
  };
  static constexpr std::size_t delays = Histogram<ShortTimes>::buckets;

  std::array<std::uint64_t, names> numbers{};
  std::array<std::uint64_t, delays> revocations{};  // by their delay
  double revocation_seconds = 0;

  // Of what was counted between the two.
  Tally operator-(const Tally& before) const;
  std::uint64_t revoked() const;
  // How long the slowest revocation took at most; of one that took longer than any bound, the greatest. 0: none.
  std::uint64_t slowest_ns() const;
};

class History {
 public:
  static constexpr std::int64_t minutes = 60;
  struct Sample {
    BootTime at;
    Tally tally;
  };

  bool is_due(BootTime now) const;  // a minute has begun of which there is nothing yet
  // For every process, as often as it likes: of all that come within a minute the first one's is kept.
  void note(BootTime now, const Tally& tally);
  // The oldest first; those of the last hour, and the one that it began with.
  std::vector<Sample> read(BootTime now) const;

 private:
  struct Slot {
    std::atomic<std::int64_t> at{0};  // milliseconds of BootTime; 0: nothing, or being written
    std::atomic<std::uint64_t> numbers[Tally::names] = {};
    std::atomic<std::uint64_t> revocations[Tally::delays] = {};
    std::atomic<double> revocation_seconds{0};
  };

  static constexpr std::int64_t slots = minutes + 2;  // one begins the hour, and one may be being written
  std::atomic<std::int64_t> newest_{0};               // minute; whoever raises it writes its slot
  Slot slots_[slots];
};

}  // namespace wazoauth
