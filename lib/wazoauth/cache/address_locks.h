// The addresses from which nobody gets in: those of the locks that PostgreSQL has (docs/locks.md), as this nginx knows
// them. They lie in memory that its workers share; each process reads them into a copy of its own when they have
// changed.
//
// Without any, the question costs one load.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/ip_prefix.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

struct AddressLock {
  IpPrefix prefix;
  std::string tenant_uuid;  // it counts for users of this tenant and below
  bool everywhere = false;  // that is the master tenant: it counts for everybody
  std::int64_t ends_t = 0;  // Unix seconds, 0: never
};

// As PostgreSQL tells them (statement locks.addresses); a higher generation is a newer list.
struct AddressLockList {
  std::uint64_t generation = 0;
  std::vector<AddressLock> locks;
};
// Throws std::runtime_error for a text that isn't one.
AddressLockList parse_address_locks(const std::string& text);

class AddressLocks {
 public:
  static constexpr std::size_t capacity = 2048;  // locks
  static std::size_t size();                     // of the memory, in bytes

  // Formats the memory; all processes attach afterwards.
  static void format(void* memory);

  AddressLocks(void* memory, ZoneLock& lock);

  // -- any thread, never blocks for long ---------------------------------------------------------------------------
  bool known() const;             // the list has been read at least once
  std::uint32_t count() const;    // also those that have ended since
  std::uint64_t version() const;  // another one: the list may have changed
  // Those that hold the address now. Nothing for a text that is no address of the Internet ("unix:").
  std::vector<AddressLock> holding(std::string_view address, std::int64_t unix_now) const;
  bool locked_everywhere(std::string_view address, std::int64_t unix_now) const;

  // -- writing -----------------------------------------------------------------------------------------------------
  // Nothing happens for a list that isn't newer, unless `whatever`: after a restore of the database generations begin
  // anew.
  void replace(const AddressLockList& list, bool whatever = false);
  // Reads them from PostgreSQL. Blocks; throws Unavailable.
  void refresh(Database& database);

 private:
  struct Shared;
  struct Snapshot {
    using Kind = std::pair<bool, int>;  // IPv4?, and the length
    std::uint64_t version = 0;
    std::map<Kind, std::multimap<IpAddress, AddressLock>> locks;  // by the first address
  };
  std::shared_ptr<const Snapshot> current() const;
  Snapshot read() const;

  Shared* shared_;
  ZoneLock& lock_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace wazoauth
