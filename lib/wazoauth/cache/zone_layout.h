// The memory layout of the token zone. See zone.h.
//
// Everything that readers see without the lock is read and written with relaxed atomic operations; what belongs
// together is guarded by a sequence number (slots), by one word that is written last (tombstones), by a check word
// (unknown tokens) or by the position (ring).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wazoauth/base/sip_hash.h"
#include "wazoauth/cache/token_facts.h"
#include "wazoauth/cache/token_record.h"

namespace wazoauth::zone {

inline constexpr std::uint64_t magic = 0x05'65'6e'6f'7a'7a'61'77;  // "wazzone", layout version 5
inline constexpr unsigned ways = 8;                                // entries of a bucket

template <class T>
T get(const T& shared) {
  return std::atomic_ref<T>(const_cast<T&>(shared)).load(std::memory_order_relaxed);
}

template <class T>
void put(T& shared, T value) {
  std::atomic_ref<T>(shared).store(value, std::memory_order_relaxed);
}

inline void copy_out(void* to, const std::uint64_t* from, std::size_t words) {
  auto* at = static_cast<char*>(to);
  for (std::size_t i = 0; i < words; ++i, at += sizeof(std::uint64_t)) {
    const std::uint64_t word = get(from[i]);
    std::memcpy(at, &word, sizeof word);
  }
}

inline void copy_in(std::uint64_t* to, const void* from, std::size_t words) {
  const auto* at = static_cast<const char*>(from);
  for (std::size_t i = 0; i < words; ++i, at += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    put(to[i], word);
  }
}

// A key as numbers. They are evenly spread: the key is a SHA-256.
struct KeyWords {
  explicit KeyWords(const TokenKey& key) { std::memcpy(words, key.data(), sizeof words); }
  std::uint64_t words[4];
};

// Two different buckets out of `buckets` (at least 2).
struct Choice {
  Choice(std::uint64_t random, std::size_t buckets)
      : first((random & 0xffffffff) * buckets >> 32), second((random >> 32) * buckets >> 32) {
    if (first == second) second = (first + 1) % buckets;
  }
  std::size_t first, second;
};

template <class T>
using Number = std::atomic<T>;

struct SharedHeader {
  Number<std::uint64_t> magic;  // written last by format()
  Number<std::uint64_t> size;
  Hash128 secret;  // of the slots' keys; chosen by format()

  // Read all the time, seldom written.
  alignas(64) Number<std::uint32_t> tick;  // the clock that measures when tokens were used last
  Number<std::uint64_t> moves;  // slots that changed their bucket: a reader that was looking for one starts again
  Number<std::uint64_t> ring_position;

  // Written under the lock.
  alignas(64) Number<std::uint32_t> dirty;  // a writer is at work, or died at it
  Number<std::uint32_t> generation;         // of the newest blob
  Number<std::uint32_t> mark;               // of the running or last collection of blobs
  Number<std::uint32_t> blob_cursor;        // where the next search for space begins
  Number<std::uint64_t> inserts;
  Number<std::uint64_t> used, evictions, blobs, blob_bytes_used, tombstones, tombstones_lost, negatives;
  Number<std::int64_t> lost_until;  // the latest expiry of a tombstone that was dropped too early, 0: none was
};

// Enough to find, age and mark the slots of one bucket: one cache line.
struct alignas(64) TagLine {
  std::uint16_t tags[ways];   // 0: free
  std::uint8_t stamps[ways];  // tick of the last use
  std::uint32_t blobs[ways];  // a copy of the slot's
};
static_assert(sizeof(TagLine) == 64);

using SlotKey = Hash128;  // of a token's text, see Zone::key_of()

struct SlotBody {
  SlotKey key;
  std::uint64_t digest[2];  // the first half of the token's TokenKey
  std::int64_t expire_t;
  std::int64_t validated_boot_ms;
  std::uint32_t issued_t;
  std::uint32_t epoch;
  std::uint32_t blob;        // where the access list lies
  std::uint32_t generation;  // and which one is meant
  std::uint16_t shapes;      // of the facts, see PackedFacts
  std::uint8_t flags;
  std::uint8_t text_size;
  char text[148];  // the facts, then the rest of the record, see zone_record.h
};

struct alignas(32) Slot {
  static constexpr std::size_t words = sizeof(SlotBody) / 8;
  std::uint32_t sequence;  // odd: being written
  std::uint32_t next;      // in the chain of its digest, see Chains
  std::uint64_t body[words];
};
static_assert(sizeof(Slot) == 224 && sizeof(SlotBody) == 216);

struct Tombstone {
  std::uint64_t key[3];
  std::int64_t until;  // Unix seconds, 0: free
};

struct Unknown {
  std::uint64_t key[3];  // the last one combined with until_boot_ms, so that a mixture of two entries is none of them
  std::uint64_t until_boot_ms;  // 0: free
};

struct RingEntry {
  std::uint64_t key[4];
};

// The areas of a zone of a given size, at this process's address. Zeros are an empty one, but for the head and the
// blobs.
struct Areas {
  Areas(void* memory, std::size_t size);

  SharedHeader* header;
  RingEntry* ring;
  std::size_t ring_entries;  // a power of two
  Tombstone* tombstones;
  std::size_t tombstone_buckets;
  Unknown* unknown;
  std::size_t unknown_entries;
  TagLine* tags;
  Slot* slots;
  std::uint32_t* chains;  // as many as slots
  std::size_t buckets;
  std::uint32_t* blob_index;
  std::size_t blob_index_entries;  // a power of two
  char* blobs;
  std::size_t blob_bytes;
};

}  // namespace wazoauth::zone
