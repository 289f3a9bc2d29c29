// What this nginx measures, in shared memory of its own beside the zone, so that it takes none from tokens. A reload
// keeps it.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "context.h"
#include "wazoauth/base/history.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/rest/lanes.h"

namespace wazoauth::nginx {

// Gated requests of the locations of one name.
class GateMeter {
 public:
  static constexpr std::size_t statuses = static_cast<std::size_t>(Status::shadow) + 1,
                               reasons = static_cast<std::size_t>(Reason::names);
  void add(Status status, Reason reason) { cell(status, reason).fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t value(Status status, Reason reason) const { return cell(status, reason).load(); }

 private:
  using Cell = std::atomic<std::uint64_t>;
  Cell& cell(Status status, Reason reason) {
    return cells_[static_cast<std::size_t>(status)][static_cast<std::size_t>(reason)];
  }
  const Cell& cell(Status status, Reason reason) const {
    return cells_[static_cast<std::size_t>(status)][static_cast<std::size_t>(reason)];
  }
  Cell cells_[statuses][reasons] = {};
};

// What one worker is at, as it said last.
struct WorkerMeter {
  static constexpr std::size_t most_lanes = 8;
  static_assert(std::size(lanes) <= most_lanes);
  using Number = std::atomic<std::uint32_t>;

  std::atomic<std::int32_t> pid{0};  // 0: free
  std::atomic<BootTime> said{BootTime()};
  struct {
    Number waiting, threads, busy;
  } lanes_at[most_lanes];
  Number jobs, loads, logins_delayed, upgraded;
  Number connections, connections_in_use, connections_most;
};

struct SharedMeters {
  static constexpr std::size_t most_workers = 64;

  const std::int64_t since;  // Unix milliseconds
  Meters library;
  Histogram<ShortTimes> hits;  // one of `hit_sample`
  Histogram<ShortTimes> loads;
  static constexpr unsigned hit_sample = 16;
  MeterTable<Histogram<RequestTimes>, 1024, 80> requests;  // "method status endpoint"
  MeterTable<Histogram<RequestTimes>, 8, 16> logins;       // by outcome
  MeterTable<GateMeter, 256, 96> gates;                    // by the location's name
  WorkerMeter workers[most_workers];
  History history;

  explicit SharedMeters(std::int64_t now) : since(now) {}
  void request(std::string_view method, int status, std::string_view endpoint, std::chrono::nanoseconds time);
  // For the process that calls it, until it ends, and after it for another. Null: there are too many.
  WorkerMeter* take_worker();

  // While the configuration is read. Locations are told their meter before there are workers.
  struct Gated {
    std::string name;
    GateMeter** meter;
  };
  struct Declaration {
    std::vector<Gated> gated;
    SharedMeters* meters = nullptr;
  };
  static bool declare(ngx_conf_t* cf, Declaration& declaration);  // false: logged

 private:
  static ngx_int_t init(ngx_shm_zone_t* zone, void* old);
};

}  // namespace wazoauth::nginx
