#include "wazoauth/cache/zone_revocations.h"

#include <algorithm>
#include <limits>

namespace wazoauth::zone {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// Clocks of several machines are never quite the same.
constexpr std::int64_t slack_seconds = 60;

bool is_over(std::int64_t until, std::int64_t now) {
  return until != std::numeric_limits<std::int64_t>::max() && now > until + slack_seconds;
}

std::uint64_t number(BootTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

}  // namespace

Tombstones::Tombstones(const Areas& areas)
    : header_(*areas.header), stones_(areas.tombstones), buckets_(areas.tombstone_buckets) {}

bool Tombstones::holds(const Tombstone& stone, const KeyWords& key) {
  if (std::atomic_ref(const_cast<std::int64_t&>(stone.until)).load(std::memory_order_acquire) == 0) return false;
  return get(stone.key[0]) == key.words[0] && get(stone.key[1]) == key.words[1] && get(stone.key[2]) == key.words[2];
}

bool Tombstones::contains(const TokenKey& key) const {
  const KeyWords words(key);
  const Choice choice(words.words[2], buckets_);
  for (const std::size_t bucket : {choice.first, choice.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      if (holds(stones_[bucket * ways + way], words)) return true;
    }
  }
  return false;
}

void Tombstones::add(const TokenKey& key, std::int64_t expire_t, std::int64_t now) {
  const std::int64_t until = expire_t > 0 ? expire_t : std::numeric_limits<std::int64_t>::max();
  if (is_over(until, now)) return;
  const KeyWords words(key);
  const Choice choice(words.words[2], buckets_);
  Tombstone* free[2] = {};  // one in each bucket
  std::size_t used[2] = {};
  Tombstone* shortest = nullptr;
  int side = 0;
  for (const std::size_t bucket : {choice.first, choice.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      Tombstone& stone = stones_[bucket * ways + way];
      if (holds(stone, words)) return put(stone.until, std::max(get(stone.until), until));
      if (stone.until == 0 || is_over(stone.until, now)) {
        free[side] = &stone;
      } else {
        ++used[side];
        if (shortest == nullptr || stone.until < shortest->until) shortest = &stone;
      }
    }
    ++side;
  }
  Tombstone* place = used[1] < used[0] ? free[1] : free[0];
  if (place == nullptr && shortest != nullptr) {  // all are in use
    lose(std::min(shortest->until, until));
    if (until <= shortest->until) return;
    place = shortest;
  }
  if (place != nullptr) write(*place, words, until);
}

// The time is written last: a writer that dies leaves a free entry.
void Tombstones::write(Tombstone& stone, const KeyWords& key, std::int64_t until) {
  if (stone.until == 0) header_.tombstones.fetch_add(1, relaxed);
  put(stone.until, std::int64_t{0});
  std::atomic_thread_fence(std::memory_order_release);
  for (int i = 0; i < 3; ++i) put(stone.key[i], key.words[i]);
  std::atomic_ref(stone.until).store(until, std::memory_order_release);
}

void Tombstones::lose(std::int64_t until) {
  header_.tombstones_lost.fetch_add(1, relaxed);
  header_.lost_until.store(std::max(header_.lost_until.load(relaxed), until), relaxed);
}

void Tombstones::sweep(std::size_t bucket, std::int64_t now) {
  for (unsigned way = 0; way < ways; ++way) {
    Tombstone& stone = stones_[bucket * ways + way];
    if (stone.until == 0 || !is_over(stone.until, now)) continue;
    put(stone.until, std::int64_t{0});
    header_.tombstones.fetch_sub(1, relaxed);
  }
}

void Tombstones::end_sweep(std::int64_t now) {
  if (overflowed() && is_over(header_.lost_until.load(relaxed), now)) header_.lost_until.store(0, relaxed);
}

void Tombstones::count() {
  const auto used =
      std::count_if(stones_, stones_ + capacity(), [](const Tombstone& stone) { return stone.until != 0; });
  header_.tombstones.store(static_cast<std::uint64_t>(used), relaxed);
}

Ring::Ring(const Areas& areas) : header_(*areas.header), entries_(areas.ring), size_(areas.ring_entries) {}

void Ring::append(const TokenKey& key) {
  const std::uint64_t position = header_.ring_position.load(relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  copy_in(entries_[position % size_].key, KeyWords(key).words, 4);
  header_.ring_position.store(position + 1, std::memory_order_release);
}

void Ring::lap() {
  header_.ring_position.fetch_add(size_ + 1, std::memory_order_release);
}

bool Ring::may_contain(const TokenKey& key, std::uint64_t since) const {
  const std::uint64_t position = header_.ring_position.load(relaxed);
  if (since > position || position - since > size_) return true;
  const KeyWords words(key);
  for (std::uint64_t at = since; at < position; ++at) {
    if (std::ranges::equal(entries_[at % size_].key, words.words)) return true;
  }
  return false;
}

RevokedKeys Ring::since(std::uint64_t since) const {
  RevokedKeys result = {{}, position(), false};
  if (since > result.position || result.position - since >= size_) {
    result.lost = true;
    return result;
  }
  result.keys.resize(result.position - since);
  for (std::uint64_t at = since; at < result.position; ++at) {
    std::uint64_t words[4];
    copy_out(words, entries_[at % size_].key, 4);
    std::memcpy(result.keys[at - since].data(), words, sizeof words);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  // The entry at position() may be being written: it replaces the one that is size_ older.
  if (header_.ring_position.load(relaxed) - since >= size_) result = {{}, position(), true};
  return result;
}

UnknownTokens::UnknownTokens(const Areas& areas)
    : header_(*areas.header), entries_(areas.unknown), size_(areas.unknown_entries) {}

Unknown& UnknownTokens::entry(const KeyWords& key) const {
  return entries_[(key.words[3] >> 32) * size_ >> 32];
}

bool UnknownTokens::contains(const TokenKey& key, BootTime now) const {
  const KeyWords words(key);
  const Unknown& found = entry(words);
  const std::uint64_t until = get(found.until_boot_ms);
  return until > number(now) && get(found.key[0]) == words.words[0] && get(found.key[1]) == words.words[1] &&
         (get(found.key[2]) ^ until) == words.words[2];
}

void UnknownTokens::add(const TokenKey& key, BootTime end) {
  const KeyWords words(key);
  const std::uint64_t until = number(end);
  Unknown& place = entry(words);
  if (place.until_boot_ms == 0) header_.negatives.fetch_add(1, relaxed);
  put(place.key[0], words.words[0]);
  put(place.key[1], words.words[1]);
  put(place.key[2], words.words[2] ^ until);
  put(place.until_boot_ms, until);
}

void UnknownTokens::erase(Unknown& place) {
  put(place.until_boot_ms, std::uint64_t{0});
  header_.negatives.fetch_sub(1, relaxed);
}

void UnknownTokens::remove(const TokenKey& key) {
  const KeyWords words(key);
  Unknown& place = entry(words);
  if (place.until_boot_ms != 0 && place.key[0] == words.words[0]) erase(place);
}

void UnknownTokens::sweep(std::size_t entry, BootTime now) {
  Unknown& place = entries_[entry];
  if (place.until_boot_ms != 0 && place.until_boot_ms <= number(now)) erase(place);
}

void UnknownTokens::clear() {
  for (std::size_t i = 0; i < size_; ++i) put(entries_[i].until_boot_ms, std::uint64_t{0});
  header_.negatives.store(0, relaxed);
}

}  // namespace wazoauth::zone
