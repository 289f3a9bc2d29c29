#include "wazoauth/base/history.h"

#include <algorithm>
#include <numeric>

namespace wazoauth {

namespace {

constexpr std::int64_t minute_ms = 60'000;

std::int64_t milliseconds(BootTime time) {
  return time.time_since_epoch().count();
}

// The first one since the machine started is 1: 0 is "nothing yet".
std::int64_t minute_of(BootTime time) {
  return milliseconds(time) / minute_ms + 1;
}

}  // namespace

Tally Tally::operator-(const Tally& before) const {
  // Counters that are read one after another may be a little apart, never so far that a difference is below zero.
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  Tally difference;
  std::transform(numbers.begin(), numbers.end(), before.numbers.begin(), difference.numbers.begin(), less);
  std::transform(revocations.begin(), revocations.end(), before.revocations.begin(), difference.revocations.begin(),
                 less);
  difference.revocation_seconds = std::max(revocation_seconds - before.revocation_seconds, 0.0);
  return difference;
}

std::uint64_t Tally::revoked() const {
  return std::accumulate(revocations.begin(), revocations.end(), std::uint64_t{0});
}

std::uint64_t Tally::slowest_ns() const {
  for (std::size_t i = delays; i-- > 0;) {
    if (revocations[i] != 0) return ShortTimes::bounds[std::min(i, std::size(ShortTimes::bounds) - 1)];
  }
  return 0;
}

bool History::is_due(BootTime now) const {
  return newest_.load(std::memory_order_relaxed) < minute_of(now);
}

void History::note(BootTime now, const Tally& tally) {
  const std::int64_t minute = minute_of(now);
  std::int64_t newest = newest_.load();
  if (newest >= minute || !newest_.compare_exchange_strong(newest, minute)) return;
  Slot& slot = slots_[minute % slots];
  slot.at.store(0);  // whoever reads it meanwhile passes over it
  for (std::size_t i = 0; i < Tally::names; ++i) slot.numbers[i].store(tally.numbers[i]);
  for (std::size_t i = 0; i < Tally::delays; ++i) slot.revocations[i].store(tally.revocations[i]);
  slot.revocation_seconds.store(tally.revocation_seconds);
  slot.at.store(milliseconds(now));
}

std::vector<History::Sample> History::read(BootTime now) const {
  std::vector<Sample> samples;
  for (const Slot& slot : slots_) {
    const std::int64_t at = slot.at.load();
    if (at == 0 || milliseconds(now) - at >= (minutes + 1) * minute_ms) continue;
    Sample sample{BootTime(BootClock::duration(at)), {}};
    for (std::size_t i = 0; i < Tally::names; ++i) sample.tally.numbers[i] = slot.numbers[i].load();
    for (std::size_t i = 0; i < Tally::delays; ++i) sample.tally.revocations[i] = slot.revocations[i].load();
    sample.tally.revocation_seconds = slot.revocation_seconds.load();
    if (slot.at.load() == at) samples.push_back(sample);
  }
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.at < b.at; });
  return samples;
}

}  // namespace wazoauth
