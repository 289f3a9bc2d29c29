// The token zone: what this nginx knows of tokens, in memory shared by its workers.
//
// Nothing here knows nginx: the caller gives a block of memory that all processes see (at any address) and a lock that
// all of them honour. Readers take no lock; writers do. Facts are stored, never verdicts: expiry and access are judged
// by the reader on every request. See docs/ARCHITECTURE.md, "The zone" and "Revocation".
//
// Layout (zone_layout.h): header | ring of revocations | tombstones | unknown tokens | tag and slot table (8-way
// buckets, two choices) | access list blobs. Every area has a fixed share of the size: a zone of 160 MiB holds 200,000
// tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/base/clock.h"
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

  // Formats the memory; all processes attach afterwards. size >= minimum_size.
  static void format(void* memory, std::size_t size);
  // True when the memory holds a zone of this layout version and size (a reload keeps it).
  static bool compatible(const void* memory, std::size_t size);

  Zone(void* memory, std::size_t size, ZoneLock& lock);

  // -- reading, in the event loop, lock-free -------------------------------------------------------------------
  // Looks the token up and matches `required` (nullopt: any live token) against its list. `unknown`: not in the
  // zone (facts untouched). `revoked`: a tombstone. Expiry, epoch and validation age are for the caller to judge,
  // from `facts`.
  Lookup check(const TokenKey& key, std::optional<std::string_view> required, TokenFacts& facts) const;
  // Several required accesses at once, from one consistent slot. granted.size() == required.size(). False: not in the
  // zone, or revoked.
  bool check_all(const TokenKey& key, const std::vector<std::string>& required, TokenFacts& facts,
                 std::vector<bool>& granted) const;
  // The whole record with the list as JSON text, for GET /token; nullopt when not in the zone, revoked, or when the
  // record was too large for its slot.
  struct Full {
    TokenFacts facts;
    TokenRecord record;  // acl left empty
    std::string acl_json;
  };
  std::optional<Full> find(const TokenKey& key) const;
  bool known_unknown(const TokenKey& key, BootTime now) const;  // remembered as unknown, not expired

  // -- writing (takes the lock) ----------------------------------------------------------------------------------
  // Number of revocations so far. Read it *before* the query whose result is inserted.
  std::uint64_t revocations() const;
  // Inserts or refreshes what PostgreSQL (or Redis) answered. False: refused, because of a tombstone for this key, or
  // because a revocation that may have been this one fell out of the ring since `revocations_before`, or it is too
  // large. Never fails for lack of space: the least recently used leaves.
  bool insert(const TokenKey& key, const TokenRecord& record, BootTime now, std::uint64_t revocations_before,
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
  // Keys revoked or forgotten after `since` (a value of ring_position()), oldest first. `lost` when some fell out:
  // check everything.
  std::uint64_t ring_position() const;
  RevokedKeys revoked_since(std::uint64_t position) const;

  // Is there a live token (expire_t 0 or > unix_now) of the same refresh token, else (when there is none) of the same
  // user and client, other than `key`, with this access, and one that may be used: usable(its facts)? For upgraded
  // connections whose token expires. Scans the table: not for hot paths.
  bool has_successor(const TokenKey& key, const TokenFacts& facts, std::optional<std::string_view> required,
                     std::int64_t unix_now, const std::function<bool(const TokenFacts&)>& usable) const;

  // -- the shared state of this nginx ---------------------------------------------------------------------------
  // Everything here is an atomic in the header.
  std::uint32_t epoch() const;
  void raise_epoch();
  // LISTEN is known good, nothing was missed: its last heartbeat is hardly older than this. (Nor newer. Somewhat it may
  // be, an event loop's `now` is as old as its turn.)
  static constexpr std::chrono::milliseconds good_for{2000};
  bool listening(BootTime now) const;
  BootTime last_good() const;  // last heartbeat that came back through LISTEN, BootTime(): none yet
  void set_last_good(BootTime at);
  std::uint64_t housekeeper() const;  // who runs the background threads: an id that its owner chose, 0: nobody
  void set_housekeeper(std::uint64_t id);
  bool started() const;  // seeding is done: API requests may be served
  void set_started(bool value);
  std::uint32_t flags() const;  // PATCH /config: see App
  void set_flags(std::uint32_t flags);
  // The circuit breaker of loads: PostgreSQL is known to be away while it is open, which it never is for longer than
  // `longest_break` at a time.
  static constexpr std::chrono::milliseconds longest_break{3000};
  bool database_away(BootTime now) const;
  void open_breaker(BootTime now, std::chrono::milliseconds time);
  void close_breaker();
  // May a load ask PostgreSQL? While the breaker is open nobody may. After that one does, and opens it on behalf of all
  // (longer than a load may take) until it knows how it went.
  bool try_database(BootTime now);
  std::uint64_t add(unsigned counter, std::uint64_t n = 1);  // metrics: 64 counters, whoever names them
  std::uint64_t counter(unsigned counter) const;
  // Memory for process-shared robust mutexes of the hashing pool: `hash_slots()` of them, pthread_mutex_t each.
  void* hash_mutex(unsigned index) const;
  static constexpr unsigned hash_slots = 64;

  ZoneCounters counters() const;

 private:
  struct Layout;
  struct Header;
  Header* header_;
  std::unique_ptr<Layout> layout_;
  ZoneLock& lock_;

 public:
  ~Zone();
};

}  // namespace wazoauth
