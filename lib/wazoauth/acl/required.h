// A required access, made ready for the question who has it: once where it is always the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wazoauth::acl {

class KnownLists;

class Required {
 public:
  explicit Required(std::string_view text);  // keeps the view

  std::string_view text() const { return text_; }
  std::size_t dots() const { return dots_; }
  std::uint64_t tail() const { return tail_; }  // the last 8 bytes, as those of a word
  bool ends_with_newline() const { return text_.ends_with('\n'); }

  // Its first words, and the hash by which a list finds the patterns that begin with them.
  struct Prefix {
    std::size_t size;
    std::uint64_t hash;
  };
  Prefix prefix(std::size_t words) const;  // 1 to dots()
  std::uint64_t hash() const { return hash_; }

  // Where this one is asked about again and again.
  KnownLists* known = nullptr;

 private:
  static constexpr std::size_t ready = 8;
  Prefix count(std::size_t words) const;

  std::string_view text_;
  std::size_t dots_ = 0;
  std::uint64_t tail_ = 0, hash_;
  std::array<Prefix, ready> prefixes_;  // those of `dots_`
};

// What lists that were looked at grant of one required access, by their generation in the zone. A generation is one
// list for ever, so this is never out of date; and it is a process's own. Not for lists in which a word means the
// holder.
class KnownLists {
 public:
  struct Entry {
    std::uint32_t generation = 0, granted = 0;
  };
  const Entry* find(std::uint32_t generation) const {
    const Entry& entry = entries_[generation % entries_.size()];
    return entry.generation == generation ? &entry : nullptr;
  }
  void add(std::uint32_t generation, bool granted) { entries_[generation % entries_.size()] = {generation, granted}; }

 private:
  std::array<Entry, 512> entries_;
};

}  // namespace wazoauth::acl
