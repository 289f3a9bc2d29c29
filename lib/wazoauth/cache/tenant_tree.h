// Which tenant lies below which, in memory: for checks that can't wait for the database.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/cache/zone.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// The zone's counters that core code owns; nginx's metrics use the low ones.
inline constexpr unsigned counter_tenants = 63;       // how often the tree changed
inline constexpr unsigned counter_life = 61;          // of the database that tokens came from, see Life
inline constexpr unsigned counter_redis_life = 62;    // of what is in Redis; 0: unknown, don't read it
inline constexpr unsigned counter_redis_server = 60;  // the server that has it

class TenantTree {
 public:
  TenantTree(Database& database, Zone* zone) : database_(database), zone_(zone) {}

  // `child` exists and is `ancestor` or lies below it. Never blocks; nullopt when what is known may be out of date:
  // then refresh() first. While the database is known to be away, what was right within `grace` will do.
  std::optional<bool> in_subtree(std::string_view child, std::string_view ancestor,
                                 std::chrono::milliseconds grace = {}) const;
  bool refresh();  // blocks; false when the database is away

 private:
  struct Snapshot {
    std::map<std::string, std::string, std::less<>> parents;
    std::uint64_t changes;
    BootTime read_at;
  };
  std::shared_ptr<const Snapshot> current() const;
  bool usable(const Snapshot& snapshot, std::chrono::milliseconds grace) const;

  Database& database_;
  Zone* zone_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace wazoauth
