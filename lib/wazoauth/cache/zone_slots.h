// The table of known tokens: buckets of 8 slots, two possible buckets for each token.
//
// A token is looked up by its SlotKey, which is cheap to make and tells nobody the token. Who revokes it knows only its
// TokenKey, a SHA-256: for writers the slots are in chains by that one, too.
//
// A reader copies what it needs out of a slot, uses it, and looks whether the slot's sequence number is still the same;
// if not, it begins anew. It writes nothing but a stamp, when the token wasn't used since the clock's last tick.
#pragma once

#include <cstdint>
#include <optional>

#include "wazoauth/cache/zone_blobs.h"
#include "wazoauth/cache/zone_layout.h"
#include "wazoauth/cache/zone_record.h"

namespace wazoauth::zone {

class Slots {
 public:
  enum class Extent { facts, all };

  explicit Slots(const Areas& areas);

  // Copies the token's slot and calls use(body), perhaps several times: only the last call counts, the others saw
  // something torn. use() returns false when it can't use what it sees. False: not there.
  template <class Use>
  bool visit(const SlotKey& key, Extent extent, SlotBody& body, Use use) const;

  std::size_t size() const { return buckets_ * ways; }
  std::size_t buckets() const { return buckets_; }

  // The rest is for writers.
  void clear();
  bool contains(const TokenKey& key) const { return find(key) != nobody; }
  void store(const SlotBody& body);  // instead of the least recently used, if need be
  void remove(const TokenKey& key);
  void mark(Blobs& blobs) const;
  void evict_some();  // an eighth of the tokens, those that weren't used for longest
  void next_tick() { header_.tick.fetch_add(1, std::memory_order_relaxed); }
  void sweep(std::size_t bucket, std::int64_t unix_now);

 private:
  struct Place {
    std::size_t bucket;
    unsigned way;
  };
  enum class Seen { done, other, torn };

  static std::uint32_t number(Place place) { return static_cast<std::uint32_t>(place.bucket * ways + place.way); }
  Slot& slot(Place place) const { return slots_[number(place)]; }
  Choice choice(const SlotKey& key) const { return Choice(key.low, buckets_); }
  static std::uint16_t tag_of(const SlotKey& key) {
    const auto tag = static_cast<std::uint16_t>(key.high);
    return tag != 0 ? tag : 1;
  }
  std::uint8_t age(Place place) const;
  static bool read(const Slot& slot, const SlotKey& key, Extent extent, SlotBody& body, Seen& seen);
  template <class Use>
  Seen try_slot(Place place, const SlotKey& key, Extent extent, SlotBody& body, Use use) const;
  void touch(Place place) const;

  // The chains: numbers of slots.
  static constexpr std::uint32_t nobody = UINT32_MAX;
  std::uint32_t& chain(const std::uint64_t (&digest)[2]) const;
  std::uint32_t find(const TokenKey& key) const;
  void link(std::uint32_t number);
  void unlink(std::uint32_t number);

  std::optional<Place> locate(const SlotKey& key) const;
  std::optional<Place> free_way(std::size_t bucket) const;
  std::optional<Place> make_room(std::size_t bucket, unsigned moves);
  Place least_recently_used(Choice choice) const;
  void write(Place place, const SlotBody& body);
  void free(Place place);
  void empty(Place place);  // ... of which no chain knows
  void tag(Place place, const SlotBody& body, std::uint8_t stamp);

  SharedHeader& header_;
  TagLine* tags_;
  Slot* slots_;
  std::uint32_t* chains_;
  std::size_t buckets_;
};

template <class Use>
Slots::Seen Slots::try_slot(Place place, const SlotKey& key, Extent extent, SlotBody& body, Use use) const {
  const Slot& found = slot(place);
  // The facts of a token fill three lines, and none of them is in the cache when there are many tokens: ask for all
  // now.
  for (std::size_t line = 1; line < 3; ++line) __builtin_prefetch(reinterpret_cast<const char*>(&found) + 64 * line);
  const std::atomic_ref<std::uint32_t> sequence(const_cast<std::uint32_t&>(found.sequence));
  const std::uint32_t before = sequence.load(std::memory_order_acquire);
  if (before % 2 != 0) return Seen::torn;
  Seen seen = Seen::done;
  const bool usable = read(found, key, extent, body, seen) && use(body);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (sequence.load(std::memory_order_relaxed) != before) return Seen::torn;
  if (seen == Seen::other) return seen;
  return usable ? Seen::done : Seen::torn;
}

template <class Use>
bool Slots::visit(const SlotKey& key, Extent extent, SlotBody& body, Use use) const {
  constexpr int attempts = 100;
  const std::uint16_t tag = tag_of(key);
  const Choice buckets = choice(key);
  __builtin_prefetch(&tags_[buckets.second]);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::uint64_t moves = header_.moves.load(std::memory_order_acquire);
    bool torn = false;
    for (const std::size_t bucket : {buckets.first, buckets.second}) {
      for (unsigned way = 0; way < ways; ++way) {
        if (get(tags_[bucket].tags[way]) != tag) continue;
        const Seen seen = try_slot({bucket, way}, key, extent, body, use);
        if (seen == Seen::done) {
          touch({bucket, way});
          return true;
        }
        torn |= seen == Seen::torn;
      }
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (!torn && header_.moves.load(std::memory_order_relaxed) == moves) return false;
  }
  return false;
}

}  // namespace wazoauth::zone
