#include "connections.h"

#include <algorithm>

namespace wazoauth::nginx {

namespace {

constexpr int of_each_worker = 1;  // what the gate waits for
constexpr int of_housekeeper = 4;  // notifications, events, mails, clean-up
constexpr int of_redis_relay = 1;
constexpr int by_default = 8;  // for API requests, when nobody says how many

int count_workers(ngx_cycle_t* cycle) {
  const auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
  return core->master ? std::max(1, static_cast<int>(core->worker_processes)) : 1;
}

}  // namespace

ConnectionPlan plan_connections(ngx_cycle_t* cycle, const MainConf& conf) {
  const int workers = count_workers(cycle);
  const int others = workers * of_each_worker + of_housekeeper + (conf.redis.len ? of_redis_relay : 0);
  const int for_requests =
      conf.connections ? static_cast<int>(conf.connections) - others : std::min(conf.settings->max_threads, by_default);
  const int requests = std::max(1, for_requests / workers);
  return {workers, requests, workers * requests + others, workers + others};
}

void check_connections(ngx_cycle_t* cycle, const MainConf& conf) {
  if (!conf.connections) return;
  const ConnectionPlan plan = plan_connections(cycle, conf);
  if (plan.most <= conf.connections) return;
  ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                "\"connections=%i\" is too few for %d worker processes: this nginx opens up to %d connections to "
                "PostgreSQL, in %V:%ui",
                conf.connections, plan.workers, plan.least, &conf.database_place.file, conf.database_place.line);
}

}  // namespace wazoauth::nginx
