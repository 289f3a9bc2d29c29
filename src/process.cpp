#include "process.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>

#include "connections.h"
#include "node_report.h"
#include "wazoauth/base/version.h"
#include "wazoauth/external/pending_authorizations.h"

namespace wazoauth::nginx {

namespace {

constexpr ngx_msec_t tick_ms = 1000;
constexpr unsigned close_idle_ticks = 15;
// The master kills who is still there 1.5 s after `nginx -s stop`.
constexpr std::chrono::milliseconds exit_limit{4000}, exit_at_once_limit{1000};

Process* current;

// A long block, an import's body say, is mapped by itself, and given back when it is freed. glibc would raise that
// limit to the longest block that was ever freed, and keep twice as much in each of its arenas.
void keep_no_large_blocks() {
#ifdef __GLIBC__
  constexpr int large = 1024 * 1024;
  mallopt(M_MMAP_THRESHOLD, large);
  mallopt(M_TRIM_THRESHOLD, large);
#endif
}

// Over all workers twice as many as may work at a time: some workers have more to do than others.
unsigned cpu_threads(int workers) {
  const unsigned all = CpuPermits::count(), of = static_cast<unsigned>(workers);
  return std::min(all, (2 * all + of - 1) / of);
}

DatabaseOptions database_options(ngx_cycle_t* cycle, const MainConf& conf, const NodeState& node) {
  DatabaseOptions options;
  options.meters = &conf.meters.meters->library;
  options.conninfo = conninfo(conf);
  options.connections = plan_connections(cycle, conf).requests;
  // Who listens sees first that the database is another one: after a failover, say.
  options.renewals = [&node] { return node.database_life(); };
  return options;
}

std::unique_ptr<RedisCache> make_redis(const MainConf& conf) {
  if (conf.redis.len == 0) return nullptr;
  return std::make_unique<RedisCache>(std::string(view(conf.redis)));
}

AppOptions app_options(Process& process, ngx_cycle_t* cycle) {
  AppOptions options;
  options.settings = *process.conf.settings;
  options.database = database_options(cycle, process.conf, process.node);
  options.zone = &process.zone;
  options.address_locks = &process.address_locks;
  options.redis = process.redis.get();
  for (const Routes* routes : process.conf.routes) options.documents.push_back(&routes->table());
  options.node = [&process] { return node_report(process.conf, process.zone, process.address_locks); };
  return options;
}

log::Level log_level(const Settings& settings) {
  if (settings.log_level <= 10) return log::Level::debug;
  if (settings.log_level <= 20) return log::Level::info;
  return settings.log_level <= 30 ? log::Level::warning : log::Level::error;
}

}  // namespace

Process::Process(ngx_cycle_t* cycle, MainConf& main)
    : conf(main),
      shared(SharedMemory::of(main.zone)),
      node(shared.node),
      counters(shared.counters),
      meters(*main.meters.meters),
      mutex(shared.zone_mutex),
      zone(shared.zone, shared.zone_size, mutex, node),
      address_locks(shared.address_locks, mutex),
      throttle(shared.throttle),
      redis(make_redis(main)),
      app(app_options(*this, cycle)),
      tenants(app.short_reads(), node),
      offload(static_cast<unsigned>(app.database_options().connections),
              cpu_threads(plan_connections(cycle, main).workers), shared.cpu_permits),
      loads(offload, app.tokens(), tenants),
      upgrades({conf, zone, address_locks, tenants, counters, app.tokens(), offload}) {}

bool Process::start(ngx_cycle_t* cycle) {
  if (!offload.start(cycle)) return false;
  log::set_sink([this](log::Line line) { offload.log(std::move(line)); });
  tick_.handler = on_tick;
  tick_.data = this;
  tick_.log = cycle->log;
  tick_.cancelable = 1;
  meter_ = meters.take_worker();
  // One worker of each cycle keeps house; it gives way to a newer one by itself.
  if (ngx_worker == 0 || ngx_process != NGX_PROCESS_WORKER) keep_house();
  tick();
  return true;
}

void Process::keep_house() {
  HousekeeperOptions options;
  options.settings = app.settings();
  options.database = app.database_options();
  options.zone = &zone;
  options.address_locks = &address_locks;
  options.redis_uri = view(conf.redis);
  options.events_dropped = [this](std::uint64_t number) { counters.add(counter::events_dropped, number); };
  housekeeper_ = std::make_unique<Housekeeper>(std::move(options));
  housekeeper_->start();
  app.pending_authorizations().take_over();
}

void Process::stop() {
  using Clock = std::chrono::steady_clock;
  if (tick_.timer_set) ngx_del_timer(&tick_);
  if (meter_) meter_->pid = 0;
  const auto limit = ngx_terminate ? exit_at_once_limit : exit_limit;
  const Clock::time_point end = Clock::now() + limit;
  const auto left = [end] {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()));
  };
  // All of them end at the same time.
  offload.close();
  if (housekeeper_) housekeeper_->close();
  const bool waits_ended = app.pending_authorizations().stop(limit);
  const bool housekeeper_ended = !housekeeper_ || housekeeper_->stop(left());
  if (!offload.stop(left()) || !housekeeper_ended || !waits_ended) {
    // The thread still uses this object, and static ones: neither may be destroyed.
    log::warning("a thread is still at work, the worker exits without it");
    _exit(0);
  }
  log::set_sink(write_log);
}

void Process::on_tick(ngx_event_t* event) {
  static_cast<Process*>(event->data)->tick();
}

void Process::tick() {
  log::set_level(app.runtime_config().debug() ? log::Level::debug : log_level(app.settings()));
  if (ngx_exiting && !draining_) {
    draining_ = true;
    app.limit_connections(1);
    app.pending_authorizations().let_go();
  }
  tell_meter();
  if (meters.history.is_due(BootClock::now())) meters.history.note(BootClock::now(), tally(meters));
  start_rest();
  if (!node.listening(BootClock::now())) read_locks();
  // Without threads there are no connections.
  if (++ticks_ % close_idle_ticks == 0 && offload.has_threads())
    offload.post(
        Lane::loading, [this] { app.close_idle(); }, [] {});
  ngx_add_timer(&tick_, tick_ms);
}

void Process::tell_meter() {
  if (!meter_) return;
  for (std::size_t lane = 0; lane < std::size(lanes); ++lane) {
    const Offload::Usage usage = offload.usage(static_cast<Lane>(lane));
    meter_->lanes_at[lane].waiting = static_cast<std::uint32_t>(usage.waiting);
    meter_->lanes_at[lane].threads = static_cast<std::uint32_t>(usage.threads);
    meter_->lanes_at[lane].busy = static_cast<std::uint32_t>(usage.busy);
  }
  meter_->jobs = static_cast<std::uint32_t>(offload.pending());
  meter_->loads = static_cast<std::uint32_t>(loads.under_way());
  meter_->logins_delayed = static_cast<std::uint32_t>(delayed_logins);
  meter_->upgraded = static_cast<std::uint32_t>(upgrades.size());
  const PoolUsage usage = app.database_usage();
  meter_->connections = static_cast<std::uint32_t>(usage.open);
  meter_->connections_in_use = static_cast<std::uint32_t>(usage.in_use);
  meter_->connections_most = static_cast<std::uint32_t>(usage.most);
  meter_->said = BootClock::now();
}

// Nobody tells of new ones.
void Process::read_locks() {
  if (reading_locks_ || !offload.has_threads() || node.database_away(BootClock::now())) return;
  auto work = [this] {
    try {
      address_locks.refresh(app.short_reads());
    } catch (const std::exception&) {
      // Loads of tokens tell of this trouble.
    }
  };
  reading_locks_ = offload.post(Lane::loading, std::move(work), [this] { reading_locks_ = false; });
}

void Process::start_rest() {
  if (housekeeper_) housekeeper_->start_rest();
  app.pending_authorizations().start_rest();
}

Process* process() {
  return current;
}

namespace {

// Null when there is nothing to do for us.
MainConf* configured(ngx_cycle_t* cycle) {
  auto* http = reinterpret_cast<ngx_http_conf_ctx_t*>(ngx_get_conf(cycle->conf_ctx, ngx_http_module));
  if (!http) return nullptr;
  auto* conf = static_cast<MainConf*>(http->main_conf[ngx_wazo_auth_module.ctx_index]);
  return conf->settings && conf->zone ? conf : nullptr;
}

}  // namespace

ngx_int_t init_module(ngx_cycle_t* cycle) {
  ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "wazo_auth: version %*s", version.size(), version.data());
  if (const MainConf* conf = configured(cycle)) check_connections(cycle, *conf);
  return NGX_OK;
}

ngx_int_t init_process(ngx_cycle_t* cycle) {
  if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
  MainConf* conf = configured(cycle);
  if (!conf) return NGX_OK;
  keep_no_large_blocks();
  try {
    mask_logs(cycle, *conf);
    use_own_logs(conf->own_logs, conf->query_names);
    auto process = std::make_unique<Process>(cycle, *conf);
    if (!process->start(cycle)) return NGX_ERROR;
    current = process.release();
    return NGX_OK;
  } catch (const std::exception& e) {
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "wazo_auth: %s", e.what());
    return NGX_ERROR;
  }
}

void exit_process(ngx_cycle_t*) {
  const std::unique_ptr<Process> process(std::exchange(current, nullptr));
  if (!process) return;
  try {
    process->stop();
  } catch (const std::exception& e) {
    log::error(e.what());
  }
}

}  // namespace wazoauth::nginx
