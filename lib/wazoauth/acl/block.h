// The layout of a compiled access list.
//
// header | buckets | groups | patterns | pool | JSON text. Numbers are in the machine's byte order, offsets count from
// the start of their area. A block begins on a multiple of 8.
//
// A pattern is cut in two: its prefix (the leading whole words that hold no wildcard and are no reserved word) and the
// rest. Patterns with the same prefix are a group, found by the prefix's hash: a required access is compared with the
// groups of its own leading words only. Group 0, which is never in the buckets, has no prefix. The rest of a pattern
// is a program for acl::Text.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace wazoauth::acl::block {

inline constexpr std::uint64_t magic = 0x02'00'6c'63'61'7a'61'77;  // "wazacl", layout version 2
inline constexpr std::size_t alignment = 8;

struct Header {
  std::uint64_t magic;
  std::uint64_t content_hash;  // of all bytes after the header: equal lists have equal headers
  std::uint32_t size;          // of the block
  std::uint32_t buckets;       // a power of two, more than there are groups
  std::uint32_t groups;        // at least 1
  std::uint32_t patterns;
  std::uint32_t pool;      // bytes
  std::uint32_t json;      // bytes
  std::uint32_t longest;   // words of the longest prefix
  std::uint32_t features;  // negatives, reserved_words: that it has any
};
static_assert(sizeof(Header) == 48);
inline constexpr std::uint32_t negatives = 1, reserved_words = 2;

using Bucket = std::uint32_t;  // group number, 0: empty

struct Group {
  std::uint64_t hash;    // comes first
  std::uint32_t prefix;  // text in the pool
  std::uint32_t prefix_size;
  std::uint32_t first;  // its patterns: negative ones, then positive ones
  std::uint32_t negatives;
  std::uint32_t positives;
  std::uint32_t whole;  // the prefix itself is a pattern: whole_positive, whole_negative
};
static_assert(sizeof(Group) == 32);
inline constexpr std::uint32_t whole_positive = 1, whole_negative = 2;

// The up to 8 literal bytes that a pattern's rest ends with, as the last ones of a word, and which bits of it they are.
struct Tail {
  std::uint64_t bytes, mask;
};

struct Pattern {
  Tail tail;
  std::uint32_t program;  // of the rest, in the pool
  std::uint32_t program_size;
  std::uint32_t min_size;  // the rest matches nothing shorter
  std::uint32_t dots;      // that the rest contains
  std::uint32_t any_dots;  // 1: it contains '#', more dots may be matched
  std::uint32_t reserved;
};
static_assert(sizeof(Pattern) == 40);

// A copy of what lies there, read once: the block may be overwritten meanwhile by another process, and what has been
// checked must be what is used.
template <class T>
T read(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  std::atomic_signal_fence(std::memory_order_acq_rel);
  return value;
}

// A hash of texts that are given one after the other.
class Hash {
 public:
  void add(std::string_view text) {
    const char* p = text.data();
    std::size_t left = text.size();
    for (; left >= 8; p += 8, left -= 8) mix(load(p));
    std::uint64_t last = text.size() << 56;
    if (left >= 4) {
      std::uint32_t low, high;
      std::memcpy(&low, p, 4);
      std::memcpy(&high, p + left - 4, 4);
      last ^= low ^ std::uint64_t{high} << 32;
    } else if (left > 0) {
      last ^= static_cast<unsigned char>(p[0]) | std::uint64_t{static_cast<unsigned char>(p[left / 2])} << 8 |
              std::uint64_t{static_cast<unsigned char>(p[left - 1])} << 16;
    }
    mix(last);
  }
  std::uint64_t value() const { return value_ ^ value_ >> 29; }

 private:
  static std::uint64_t load(const char* p) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    return word;
  }
  void mix(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 32;
  }
  std::uint64_t value_ = 0x243f6a8885a308d3;
};

}  // namespace wazoauth::acl::block
