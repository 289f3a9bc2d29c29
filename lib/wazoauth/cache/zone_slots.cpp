#include "wazoauth/cache/zone_slots.h"

#include <algorithm>
#include <array>
#include <utility>

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
  std::atomic_ref<std::uint32_t> sequence_;
  std::uint32_t odd_;
};

// Without their sequence and place in a chain, which nobody reads but under the lock.
SlotBody body_of(const Slot& slot) {
  SlotBody body;
  std::memcpy(&body, slot.body, sizeof body);
  return body;
}

}  // namespace

Slots::Slots(const Areas& areas)
    : header_(*areas.header), tags_(areas.tags), slots_(areas.slots), chains_(areas.chains), buckets_(areas.buckets) {}

bool Slots::read(const Slot& slot, const SlotKey& key, Extent extent, SlotBody& body, Seen& seen) {
  if (get(slot.body[0]) != key.low || get(slot.body[1]) != key.high) {
    seen = Seen::other;
    return false;
  }
  const auto copy = [&](std::size_t begin, std::size_t end) {
    copy_out(reinterpret_cast<char*>(&body) + begin * 8, slot.body + begin, end - begin);
  };
  copy(0, fixed_words);
  copy(fixed_words, extent == Extent::all ? Slot::words : facts_words(body));
  return packed_facts(body).size(sizeof body.text) != PackedFacts::senseless;
}

void Slots::touch(Place place) const {
  const auto tick = static_cast<std::uint8_t>(header_.tick.load(relaxed));
  std::uint8_t& stamp = tags_[place.bucket].stamps[place.way];
  if (get(stamp) != tick) put(stamp, tick);
}

std::uint8_t Slots::age(Place place) const {
  return static_cast<std::uint8_t>(header_.tick.load(relaxed) - get(tags_[place.bucket].stamps[place.way]));
}

// A writer that has died may have left chains that lead anywhere.
void Slots::clear() {
  std::fill_n(chains_, size(), 0);
  for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (unsigned way = 0; way < ways; ++way) {
      if (get(tags_[bucket].tags[way]) != 0) empty({bucket, way});
    }
  }
  header_.used.store(0, relaxed);
}

// Heads of chains, and what follows in them, are numbers of slots, and 1 more: 0 ends a chain.
std::uint32_t& Slots::chain(const std::uint64_t (&digest)[2]) const {
  return chains_[(digest[0] >> 32) * size() >> 32];
}

std::uint32_t Slots::find(const TokenKey& key) const {
  const KeyWords words(key);
  for (std::uint32_t at = chain({words.words[0], words.words[1]}); at != 0; at = slots_[at - 1].next) {
    const std::uint64_t* const digest = slots_[at - 1].body + offsetof(SlotBody, digest) / 8;
    if (digest[0] == words.words[0] && digest[1] == words.words[1]) return at - 1;
  }
  return nobody;
}

void Slots::link(std::uint32_t number) {
  std::uint32_t& head = chain(body_of(slots_[number]).digest);
  slots_[number].next = std::exchange(head, number + 1);
}

void Slots::unlink(std::uint32_t number) {
  std::uint32_t* at = &chain(body_of(slots_[number]).digest);
  while (*at != number + 1) at = &slots_[*at - 1].next;
  *at = slots_[number].next;
}

std::optional<Slots::Place> Slots::locate(const SlotKey& key) const {
  const std::uint16_t tag = tag_of(key);
  const Choice buckets = choice(key);
  for (const std::size_t bucket : {buckets.first, buckets.second}) {
    for (unsigned way = 0; way < ways; ++way) {
      if (get(tags_[bucket].tags[way]) == tag && body_of(slot({bucket, way})).key == key) return Place{bucket, way};
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

// A free slot in a full bucket, by moving one of its tokens to its other bucket, where another one may have to move
// first. No further: what has moved on would be looked at again.
std::optional<Slots::Place> Slots::make_room(std::size_t bucket, unsigned moves) {
  for (unsigned way = 0; way < ways; ++way) {
    const Place from{bucket, way};
    const SlotBody body = body_of(slot(from));
    const Choice buckets = choice(body.key);
    const std::size_t other = buckets.first == bucket ? buckets.second : buckets.first;
    auto to = free_way(other);
    if (!to && moves > 1) to = make_room(other, moves - 1);
    if (!to) continue;
    write(*to, body);
    link(number(*to));
    tag(*to, body, get(tags_[bucket].stamps[way]));
    header_.moves.fetch_add(1, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_release);
    free(from);
    return from;
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
  for (const unsigned moves : {1u, 2u}) {
    if (!place) place = make_room(buckets.first, moves);
    if (!place) place = make_room(buckets.second, moves);
  }
  if (!place) {
    place = least_recently_used(buckets);
    free(*place);
    header_.used.fetch_sub(1, relaxed);
    header_.evictions.fetch_add(1, relaxed);
  }
  write(*place, body);
  link(number(*place));
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

void Slots::free(Place place) {
  unlink(number(place));
  empty(place);
}

// A reader that found the tag before sees a changed or an empty slot.
void Slots::empty(Place place) {
  constexpr SlotBody nothing = {};
  put(tags_[place.bucket].tags[place.way], std::uint16_t{0});
  Slot& to = slot(place);
  const Writing writing(to);
  copy_in(to.body, &nothing, fixed_words);
}

void Slots::remove(const TokenKey& key) {
  const std::uint32_t number = find(key);
  if (number == nobody) return;
  free({number / ways, number % ways});
  header_.used.fetch_sub(1, relaxed);
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
    const SlotBody body = body_of(slot(place));
    if (body.expire_t != 0 && unix_now > body.expire_t) {
      free(place);
      header_.used.fetch_sub(1, relaxed);
    } else if (age(place) > oldest) {
      put(tags_[bucket].stamps[way], static_cast<std::uint8_t>(header_.tick.load(relaxed) - oldest));
    }
  }
}

}  // namespace wazoauth::zone
