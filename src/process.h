// The parts that one worker owns: made after the fork, destroyed at its exit.
#pragma once

#include <memory>

#include "conf.h"
#include "loads.h"
#include "meters.h"
#include "offload.h"
#include "upgrades.h"
#include "wazoauth/app.h"
#include "wazoauth/cache/redis_cache.h"
#include "wazoauth/cache/tenant_tree.h"
#include "wazoauth/login/throttle.h"
#include "wazoauth/node/housekeeper.h"
#include "zone.h"

namespace wazoauth::nginx {

class Process {
 public:
  Process(ngx_cycle_t* cycle, MainConf& conf);

  bool start(ngx_cycle_t* cycle);  // false: logged
  void stop();                     // within about a second when nginx is told to stop at once, else within some more

  MainConf& conf;
  SharedMemory& shared;
  NodeState& node;
  Counters& counters;
  SharedMeters& meters;
  ZoneMutex mutex;
  Zone zone;
  AddressLocks address_locks;
  gate::LoginThrottle throttle;
  std::unique_ptr<RedisCache> redis;
  App app;
  TenantTree tenants;
  Offload offload;
  Loads loads;
  Upgrades upgrades;
  std::size_t delayed_logins = 0;
  unsigned sampled_hits = 0;

  void tell_meter();  // what this worker is at

 private:
  void keep_house();
  void start_rest();
  void read_locks();
  void tick();
  static void on_tick(ngx_event_t* event);

  std::unique_ptr<Housekeeper> housekeeper_;
  WorkerMeter* meter_ = nullptr;  // null: there is none to spare
  ngx_event_t tick_{};
  bool draining_ = false;
  unsigned ticks_ = 0;
  bool reading_locks_ = false;
};

// Null outside of a worker, and when the module isn't configured.
Process* process();

// From now on nothing that this process writes to an error log shows a token, or a client's control characters.
void mask_logs(ngx_cycle_t* cycle, const MainConf& conf);

// At every start, reload and `nginx -t`: logs the module's version, and what is only known when all has been read.
ngx_int_t init_module(ngx_cycle_t* cycle);
ngx_int_t init_process(ngx_cycle_t* cycle);
void exit_process(ngx_cycle_t* cycle);

}  // namespace wazoauth::nginx
