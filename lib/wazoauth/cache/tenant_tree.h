// Which tenant lies below which, in memory: for checks that can't wait for the database.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/cache/node_state.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class TenantTree {
 public:
  TenantTree(Database& database, NodeState& node) : database_(database), node_(node) {}

  // `child` exists and is `ancestor` or lies below it. Never blocks; nullopt when what is known may be out of date:
  // then refresh() first. While the database is known to be away, what was right within `grace` will do.
  std::optional<bool> in_subtree(std::string_view child, std::string_view ancestor,
                                 std::chrono::milliseconds grace = {}) const;
  bool refresh();  // blocks; false when the database is away

 private:
  struct Snapshot {
    std::map<std::string, std::string, std::less<>> parents;
    std::uint64_t generation;
    BootTime read_at;
  };
  std::shared_ptr<const Snapshot> current() const;
  bool usable(const Snapshot& snapshot, std::chrono::milliseconds grace) const;

  Database& database_;
  NodeState& node_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace wazoauth
