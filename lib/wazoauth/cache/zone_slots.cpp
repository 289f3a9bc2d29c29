#include "wazoauth/cache/zone_slots.h"

#include <algorithm>
#include <array>

namespace wazoauth::zone {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// Marks a slot as being written, and then as whole again. A slot that a dead writer left is odd already.
class Writing {
 public:
  explicit Writing(Slot& slot) : sequence_(slot.sequence), odd_(sequence_.load(relaxed) | 1) {
    sequence_.store(odd_, relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  ~Writing() { sequence_.store(odd_ + 1, std::memory_order_release); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  std::atomic_ref<std::uint64_t> sequence_;
  std::uint64_t odd_;
};

constexpr std::size_t key_words = sizeof(TokenKey) / 8;

}  // namespace

Slots::Slots(const Areas& areas)
    : header_(*areas.header), tags_(areas.tags), slots_(areas.slots), buckets_(areas.buckets) {}

std::uint16_t Slots::tag_of(const TokenKey& key) {
  const auto tag = static_cast<std::uint16_t>(KeyWords(key).words[1]);
  return tag != 0 ? tag : 1;
}

bool Slots::read(const Slot& slot, const TokenKey& key, Extent extent, SlotBody& body, Seen& seen) const {
  const auto copy = [&](std::size_t begin, std::size_t end) {
    copy_out(reinterpret_cast<char*>(&body) + begin * 8, slot.body + begin, end - begin);
  };
  copy(0, key_words);
  if (body.key != key) {
    seen = Seen::other;
    return false;
  }
  copy(key_words, fixed_words);
  const std::size_t words = facts_words(body);
  if (words == 0) return false;
  copy(fixed_words, extent == Extent::all ? Slot::words : words);
  return true;
}

void Slots::touch(Place place) const {
  const auto tick = static_cast<std::uint8_t>(header_.tick.load(relaxed));
  std::uint8_t& stamp = tags_[place.bucket].stamps[place.way];
  if (get(stamp) != tick) put(stamp, tick);
}

std::uint8_t Slots::age(Place place) const {
  return static_cast<std::uint8_t>(header_.tick.load(relaxed) - get(tags_[place.bucket].stamps[place.way]));
}

TokenKey Slots::key_at(Place place) const {
  TokenKey key;
  std::memcpy(key.data(), slot(place).body, sizeof key);
  return key;
}

void Slots::clear() {
  for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (unsigned way = 0; way < ways; ++way) {
      if (get(tags_[bucket].tags[way]) != 0) free({bucket, way});
    }
  }
  header_.used.store(0, relaxed);
}

std::optional<Slots::Place> Slots::locate(const TokenKey& key) const {
  const std::uint16_t tag = tag_of(key);
  const Choice buckets = choice(key);
  for (const std::size_t bucket : {buckets.first, buckets.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      if (get(tags_[bucket].tags[way]) == tag && key_at({bucket, way}) == key) return Place{bucket, way};
    }
  }
  return std::nullopt;
}

std::optional<Slots::Place> Slots::free_way(std::size_t bucket) const {
  for (unsigned way = 0; way < ways; ++way) {
    if (get(tags_[bucket].tags[way]) == 0) return Place{bucket, way};
  }
  return std::nullopt;
}

// A free slot in one of two full buckets, by moving one of their tokens to its other bucket.
std::optional<Slots::Place> Slots::make_room(Choice full) {
  for (const std::size_t bucket : {full.first, full.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      const Place from{bucket, way};
      SlotBody body;
      std::memcpy(&body, slot(from).body, sizeof body);
      const Choice buckets = choice(body.key);
      const auto to = free_way(buckets.first == bucket ? buckets.second : buckets.first);
      if (!to) continue;
      const TagLine& line = tags_[bucket];
      write(*to, body);
      tag(*to, body, get(line.stamps[way]));
      header_.moves.fetch_add(1, std::memory_order_release);
      std::atomic_thread_fence(std::memory_order_release);
      free(from);
      return from;
    }
  }
  return std::nullopt;
}

Slots::Place Slots::least_recently_used(Choice full) const {
  Place oldest{full.first, 0};
  for (const std::size_t bucket : {full.first, full.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      if (age({bucket, way}) > age(oldest)) oldest = {bucket, way};
    }
  }
  return oldest;
}

void Slots::store(const SlotBody& body) {
  if (const auto place = locate(body.key)) {
    write(*place, body);
    tag(*place, body, get(tags_[place->bucket].stamps[place->way]));
    return;
  }
  // The clock ticks often enough that the ages of a full table differ.
  if (header_.inserts.fetch_add(1, relaxed) % (size() / 16 + 1) == 0) next_tick();
  const Choice buckets = choice(body.key);
  const auto used = [this](std::size_t bucket) { return ways - std::ranges::count(tags_[bucket].tags, 0); };
  auto place = free_way(used(buckets.first) <= used(buckets.second) ? buckets.first : buckets.second);
  if (!place) place = make_room(buckets);
  if (!place) {
    place = least_recently_used(buckets);
    free(*place);
    header_.used.fetch_sub(1, relaxed);
    header_.evictions.fetch_add(1, relaxed);
  }
  write(*place, body);
  tag(*place, body, static_cast<std::uint8_t>(header_.tick.load(relaxed) - 1));
  header_.used.fetch_add(1, relaxed);
}

void Slots::write(Place place, const SlotBody& body) {
  Slot& to = slot(place);
  const Writing writing(to);
  copy_in(to.body, &body, Slot::words);
}

void Slots::tag(Place place, const SlotBody& body, std::uint8_t stamp) {
  TagLine& line = tags_[place.bucket];
  put(line.blobs[place.way], body.blob);
  put(line.stamps[place.way], stamp);
  std::atomic_ref(line.tags[place.way]).store(tag_of(body.key), std::memory_order_release);
}

// A reader that found the tag before sees a changed or an empty slot.
void Slots::free(Place place) {
  constexpr SlotBody empty = {};
  put(tags_[place.bucket].tags[place.way], std::uint16_t{0});
  Slot& to = slot(place);
  const Writing writing(to);
  copy_in(to.body, &empty, fixed_words);
}

bool Slots::remove(const TokenKey& key) {
  const auto place = locate(key);
  if (!place) return false;
  free(*place);
  header_.used.fetch_sub(1, relaxed);
  return true;
}

void Slots::mark(Blobs& blobs) const {
  for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (unsigned way = 0; way < ways; ++way) {
      if (get(tags_[bucket].tags[way]) != 0) blobs.mark(get(tags_[bucket].blobs[way]));
    }
  }
}

void Slots::evict_some() {
  std::array<std::size_t, 256> by_age = {};
  const auto for_each = [this](auto what) {
    for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
      for (unsigned way = 0; way < ways; ++way) {
        if (get(tags_[bucket].tags[way]) != 0) what(Place{bucket, way});
      }
    }
  };
  for_each([&](Place place) { ++by_age[age(place)]; });
  std::size_t quota = header_.used.load(relaxed) / 8 + 1;
  unsigned youngest = 255;
  for (std::size_t found = by_age[youngest]; youngest > 0 && found < quota;) found += by_age[--youngest];
  for_each([&](Place place) {
    if (quota == 0 || age(place) < youngest) return;
    free(place);
    --quota;
    header_.used.fetch_sub(1, relaxed);
    header_.evictions.fetch_add(1, relaxed);
  });
}

void Slots::sweep(std::size_t bucket, std::int64_t unix_now) {
  constexpr std::uint8_t oldest = 200;  // stamps can be compared over 255 ticks only
  for (unsigned way = 0; way < ways; ++way) {
    const Place place{bucket, way};
    if (get(tags_[bucket].tags[way]) == 0) continue;
    SlotBody body;
    std::memcpy(&body, slot(place).body, fixed_words * 8);
    if (body.expire_t != 0 && unix_now > body.expire_t) {
      free(place);
      header_.used.fetch_sub(1, relaxed);
    } else if (age(place) > oldest) {
      put(tags_[bucket].stamps[way], static_cast<std::uint8_t>(header_.tick.load(relaxed) - oldest));
    }
  }
}

}  // namespace wazoauth::zone
