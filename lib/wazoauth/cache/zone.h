// The token zone: what this nginx knows of tokens, in memory shared by its workers.
//
// Nothing here knows nginx: the caller gives a block of memory that all processes see (at any address) and a lock that
// all of them honour. Readers take no lock; writers do. Facts are stored, never verdicts: expiry and access are judged
// by the reader on every request. See docs/ARCHITECTURE.md, "The zone" and "Revocation".
//
// Layout (zone_layout.h): header | ring of revocations | tombstones | unknown tokens | tag and slot table (8-way
// buckets, two choices) | chains of slots | access list blobs. Every area has a fixed share of the size: a zone of
// 320 MiB holds a million tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/cache/node_state.h"
#include "wazoauth/cache/token_facts.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/store/token_notice.h"

namespace wazoauth {

// The writers' lock. Must work between processes; lock() may block.
class ZoneLock {
 public:
  virtual ~ZoneLock() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
};

struct ZoneCounters {
  std::uint64_t slots = 0, slot_bytes = 0, used = 0, evictions = 0, blobs = 0, blob_bytes_used = 0, blob_bytes = 0,
                tombstones = 0, tombstone_capacity = 0, tombstones_lost = 0, negatives = 0;
};

class Zone {
 public:
  static constexpr std::size_t minimum_size = 1 << 20;

  // Formats the memory, which is all zeros; all processes attach afterwards. size >= minimum_size. Most of it stays
  // untouched: a mapping has its pages when they are used.
  static void format(void* memory, std::size_t size);
  // True when the memory holds a zone of this layout version and size (a reload keeps it).
  static bool compatible(const void* memory, std::size_t size);

  Zone(void* memory, std::size_t size, ZoneLock& lock, NodeState& node);

  // -- reading, in the event loop, lock-free -------------------------------------------------------------------
  // Looks the token up and matches `required` (null: any live token) against its list. `unknown`: not in the
  // zone (facts untouched). `revoked`: a tombstone. Expiry, epoch and validation age are for the caller to judge,
  // from `facts`.
  Lookup check(const ShownToken& token, const acl::Required* required, TokenFacts& facts) const;
  // Several required accesses at once, from one consistent slot. granted.size() == required.size(). False: not in the
  // zone, or revoked.
  bool check_all(const ShownToken& token, const std::vector<std::string>& required, TokenFacts& facts,
                 std::vector<bool>& granted) const;
  // The whole record with the list as JSON text, for GET /token; nullopt when not in the zone, revoked, or when the
  // record was too large for its slot.
  struct Full {
    TokenFacts facts;
    TokenRecord record;  // acl left empty
    std::string acl_json;
  };
  std::optional<Full> find(const ShownToken& token) const;
  bool known_unknown(const TokenKey& key, BootTime now) const;  // remembered as unknown, not expired

  // -- writing (takes the lock) ----------------------------------------------------------------------------------
  // Number of revocations and changes so far. Read it *before* the query whose result is inserted.
  std::uint64_t revocations() const;
  // Inserts or refreshes what PostgreSQL (or Redis) answered. False: refused, because of a tombstone for this key, or
  // because a revocation that may have been this one fell out of the ring since `revocations_before`, or it is too
  // large. Never fails for lack of space: the least recently used leaves.
  bool insert(const ShownToken& token, const TokenRecord& record, BootTime now, std::uint64_t revocations_before,
              std::uint32_t epoch_before);
  // The token is dead for ever: its slot is freed, a tombstone stays until `expire_t` (0: until the zone is full or
  // ends), the ring notes it. Several at once under one lock.
  void revoke(const std::vector<Revocation>& revocations, std::int64_t unix_now);
  // Forgets an entry without a tombstone (a record that changed in the database and has to be read again). Also noted
  // in the ring of revocations as a change, and loads under way can't bring the old one back.
  void forget(const std::vector<TokenKey>& keys);
  // The same for a token whose row was changed: until it expires (as for revoke()) its record in Redis may be the one
  // from before, see changed().
  void change(const std::vector<Revocation>& changes, std::int64_t unix_now);
  bool changed(const TokenKey& key) const;
  void remember_unknown(const TokenKey& key, BootTime until);
  // Removes what is over: slots, tombstones, unknown tokens, unused blobs. Call it now and then.
  void sweep(std::int64_t unix_now, BootTime now);
  // True when tombstones had to be dropped before their time: Redis must not be read any more.
  bool tombstones_overflowed() const;

  // -- the ring of revocations, for owners of upgraded connections ----------------------------------------------
  // Keys revoked or forgotten since a value of revocations(), oldest first. `lost` when some fell out: check
  // everything.
  RevokedKeys revoked_since(std::uint64_t revocations) const;
  // Of a token that was revoked a moment ago: was it deleted alone, while its session was still there?
  bool given_up(const TokenKey& key) const;

  // The state of the node that these tokens belong to.
  NodeState& node() { return node_; }
  const NodeState& node() const { return node_; }

  ZoneCounters counters() const;

 private:
  struct Layout;
  std::unique_ptr<Layout> layout_;
  ZoneLock& lock_;
  NodeState& node_;

 public:
  ~Zone();
};

}  // namespace wazoauth
