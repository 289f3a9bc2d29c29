// The state of a node (one nginx with its workers): what its processes must agree on, beside the tokens.
//
// Lies in memory that all of them share, in atomics only: nobody takes a lock. The housekeeper writes most of it, every
// worker reads it. See docs/ARCHITECTURE.md, "The state of the node".
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "wazoauth/base/clock.h"
#include "wazoauth/cache/life.h"

namespace wazoauth {

class NodeState {
 public:
  NodeState() noexcept;  // a node that has just started: nothing is known, nothing has been heard
  NodeState(const NodeState&) = delete;
  NodeState& operator=(const NodeState&) = delete;

  // True when the memory holds the state of a node in this layout (a reload keeps it).
  bool compatible() const { return layout_.load() == layout; }

  // -- revocation ------------------------------------------------------------------------------------------------
  // Facts of an earlier epoch need a confirmation by PostgreSQL: their token may have been revoked unheard.
  std::uint32_t epoch() const { return epoch_.load(); }
  void raise_epoch() { epoch_.fetch_add(1); }

  // LISTEN is good, and no notification was missed, for this long after a heartbeat came back through it.
  static constexpr std::chrono::milliseconds good_for{2000};
  bool listening(BootTime now) const;                                 // `now` may be as old as a turn of an event loop
  BootTime last_heartbeat() const { return last_heartbeat_.load(); }  // BootTime(): none yet
  void set_last_heartbeat(BootTime sent) { last_heartbeat_.store(sent); }

  // How often the tree of tenants may have changed.
  std::uint64_t tenant_generation() const { return tenant_generation_.load(); }
  void raise_tenant_generation() { tenant_generation_.fetch_add(1); }

  // -- the life of what is cached, see life.h --------------------------------------------------------------------
  std::uint64_t database_life() const { return database_life_.load(); }  // 0: not known yet
  void set_database_life(std::uint64_t life) { database_life_.store(life); }
  // Always the two numbers of one set_redis_life(). A reader that meets a writer finds none, as if nothing were known.
  RedisLife redis_life() const;
  void set_redis_life(const RedisLife& life);

  // -- the node itself -------------------------------------------------------------------------------------------
  std::uint64_t housekeeper() const { return housekeeper_.load(); }  // the id it chose; 0: there was none yet
  void set_housekeeper(std::uint64_t id) { housekeeper_.store(id); }
  bool started() const { return started_.load(); }  // the database is seeded: API requests may be served
  void set_started(bool value) { started_.store(value); }
  std::uint32_t config_flags() const { return config_flags_.load(); }  // PATCH /config, see RuntimeConfig
  void set_config_flags(std::uint32_t flags) { config_flags_.store(flags); }

  // -- the circuit breaker of loads ------------------------------------------------------------------------------
  // PostgreSQL is known to be away while it is open, which it never is for longer than `longest_break` at a time.
  static constexpr std::chrono::milliseconds longest_break{3000};
  bool database_away(BootTime now) const;
  void open_breaker(BootTime now, std::chrono::milliseconds time);
  void close_breaker() { breaker_open_until_.store(BootTime()); }
  // May a load ask PostgreSQL? Not while the breaker is open. The first caller after that may, and opens it for all
  // others (longer than a load may take) until the outcome is known.
  bool try_database(BootTime now);
  // Somebody found out that PostgreSQL is away after `asked`: that is the answer of all who waited meanwhile.
  bool failed_since(BootTime asked) const { return last_failure_.load() >= asked; }

 private:
  template <class T>
  using Shared = std::atomic<T>;
  static_assert(Shared<std::uint64_t>::is_always_lock_free && Shared<BootTime>::is_always_lock_free &&
                Shared<std::uint32_t>::is_always_lock_free && Shared<bool>::is_always_lock_free);

  static const std::uint64_t layout;

  // Read by every request, seldom written.
  alignas(64) Shared<std::uint64_t> layout_{0};
  Shared<std::uint32_t> epoch_{1};
  Shared<bool> started_{false};
  Shared<std::uint32_t> config_flags_{0};
  Shared<BootTime> last_heartbeat_{BootTime()};
  Shared<BootTime> breaker_open_until_{BootTime()};  // BootTime(): closed
  Shared<BootTime> last_failure_{BootTime()};        // when it was opened last
  Shared<std::uint64_t> tenant_generation_{0};

  alignas(64) Shared<std::uint64_t> housekeeper_{0};
  Shared<std::uint64_t> database_life_{0};
  Shared<std::uint64_t> redis_life_{0}, redis_server_{0}, redis_check_{0};
};

}  // namespace wazoauth
