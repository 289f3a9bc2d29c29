#include "meters.h"

#include <signal.h>
#include <unistd.h>

#include <new>

namespace wazoauth::nginx {

namespace {

// The version of the layout: raise it with a change that keeps the size. Memory of another layout has another name, and
// nginx makes it anew.
constexpr int layout = 1;

std::string_view known_method(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

bool is_gone(std::int32_t pid) {
  return kill(pid, 0) != 0 && errno == ESRCH;
}

}  // namespace

void SharedMeters::request(std::string_view method, int status, std::string_view endpoint,
                           std::chrono::nanoseconds time) {
  std::string name(known_method(method));
  name.append(" ").append(std::to_string(status)).append(" ").append(endpoint);
  requests.at(name).add(time);
}

WorkerMeter* SharedMeters::take_worker() {
  const auto own = static_cast<std::int32_t>(getpid());
  for (WorkerMeter& worker : workers) {
    std::int32_t pid = worker.pid.load();
    if ((pid == 0 || pid == own || is_gone(pid)) && worker.pid.compare_exchange_strong(pid, own)) return &worker;
  }
  return nullptr;
}

bool SharedMeters::declare(ngx_conf_t* cf, Declaration& declaration) {
  const std::size_t size = ngx_align(sizeof(SharedMeters) + sizeof(SharedMeters) / 32, ngx_pagesize) + 8 * ngx_pagesize;
  ngx_str_t name =
      copy(cf->pool, "wazo_auth_meters_" + std::to_string(layout) + "_" + std::to_string(sizeof(SharedMeters)));
  ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &ngx_wazo_auth_module);
  if (!zone) return false;
  zone->init = init;
  zone->data = &declaration;
  return true;
}

// Called in the master, for new memory and for what a reload keeps.
ngx_int_t SharedMeters::init(ngx_shm_zone_t* zone, void* old) {
  auto* const declaration = static_cast<Declaration*>(zone->data);
  if (!old) {
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    pool->log_nomem = 0;
    void* const memory = ngx_slab_alloc(pool, sizeof(SharedMeters));
    if (!memory) {
      ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "zone \"%V\": no memory", &zone->shm.name);
      return NGX_ERROR;
    }
    old = new (memory) SharedMeters(unix_time().time_since_epoch().count() / 1000);
  }
  zone->data = old;
  declaration->meters = static_cast<SharedMeters*>(old);
  for (const Gated& gated : declaration->gated) {
    auto& gates = declaration->meters->gates;
    *gated.meter = gated.name.empty() ? &gates.other() : &gates.at(gated.name);
  }
  return NGX_OK;
}

}  // namespace wazoauth::nginx
