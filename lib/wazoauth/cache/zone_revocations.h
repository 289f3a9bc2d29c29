// The memory of tokens that this nginx must not serve: tombstones of revoked tokens, the ring of revocations
// and changes, and unknown tokens.
#pragma once

#include <cstdint>

#include "wazoauth/cache/token_facts.h"
#include "wazoauth/cache/zone_layout.h"

namespace wazoauth::zone {

// Buckets of 8, two possible ones for each token. An entry never moves, so that readers need no sequence.
class Tombstones {
 public:
  explicit Tombstones(const Areas& areas);
  bool contains(const TokenKey& key) const;
  std::size_t capacity() const { return buckets_ * ways; }
  std::size_t buckets() const { return buckets_; }
  bool overflowed() const { return header_.lost_until.load(std::memory_order_relaxed) != 0; }

  // The rest is for writers. expire_t 0: never. Times are Unix seconds.
  void add(const TokenKey& key, std::int64_t expire_t, std::int64_t now);
  void sweep(std::size_t bucket, std::int64_t now);
  void end_sweep(std::int64_t now);  // an overflow is over when what was dropped would have expired
  void count();

 private:
  static bool holds(const Tombstone& stone, const KeyWords& key);
  void write(Tombstone& stone, const KeyWords& key, std::int64_t until);
  void lose(std::int64_t until);

  SharedHeader& header_;
  Tombstone* stones_;
  std::size_t buckets_;
};

class Ring {
 public:
  explicit Ring(const Areas& areas);
  std::uint64_t position() const { return header_.ring_position.load(std::memory_order_acquire); }
  RevokedKeys since(std::uint64_t position) const;

  // The rest is for writers.
  void append(const TokenKey& key);
  void lap();  // everybody has lost something
  bool may_contain(const TokenKey& key, std::uint64_t since) const;

 private:
  SharedHeader& header_;
  RingEntry* entries_;
  std::size_t size_;
};

// Direct-mapped: a new entry replaces the one in its place.
class UnknownTokens {
 public:
  explicit UnknownTokens(const Areas& areas);
  bool contains(const TokenKey& key, BootTime now) const;
  std::size_t size() const { return size_; }

  // The rest is for writers.
  void add(const TokenKey& key, BootTime until);
  void remove(const TokenKey& key);
  void sweep(std::size_t entry, BootTime now);
  void clear();

 private:
  Unknown& entry(const KeyWords& key) const;
  void erase(Unknown& entry);

  SharedHeader& header_;
  Unknown* entries_;
  std::size_t size_;
};

}  // namespace wazoauth::zone
