// What the API tells about this nginx: GET /0.1/node.
#pragma once

#include "conf.h"
#include "meters.h"
#include "wazoauth/about/node_routes.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth::nginx {

// What all workers say that they are at.
struct WorkerTotals {
  struct {
    std::uint64_t waiting = 0, threads = 0, busy = 0;
  } lanes_at[std::size(lanes)];
  std::uint64_t workers = 0, jobs = 0, loads = 0, logins_delayed = 0, upgraded = 0;
  std::uint64_t connections = 0, in_use = 0, most = 0;

  void add(const WorkerMeter& worker);
};
WorkerTotals worker_totals(const SharedMeters& meters);

// Both read shared memory only: any thread may ask.
Tally tally(SharedMeters& meters);
NodeReport node_report(const MainConf& conf, const Zone& zone, const AddressLocks& locks);

}  // namespace wazoauth::nginx
