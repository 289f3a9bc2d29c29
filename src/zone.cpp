#include "zone.h"

#include <exception>
#include <functional>
#include <new>

#include "wazoauth/login/throttle.h"

namespace wazoauth::nginx {

namespace {

ngx_slab_pool_t* pool_of(const ngx_shm_zone_t* zone) {
  return reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
}

// The head and the throttle are small; the tokens get all the rest in one piece. Zone::format() and the slab pool know
// nothing of each other: the pool only guards against a second user of this memory. Null: no memory.
SharedMemory* make(ngx_slab_pool_t* pool) {
  void* const head = ngx_slab_alloc(pool, sizeof(SharedMemory));
  if (!head) return nullptr;
  auto* const shared = new (head) SharedMemory;
  shared->throttle = ngx_slab_alloc(pool, gate::LoginThrottle::size);
  shared->address_locks = ngx_slab_alloc(pool, AddressLocks::size());
  shared->zone_size = pool->pfree * ngx_pagesize;
  shared->zone = ngx_slab_alloc(pool, shared->zone_size);
  if (!shared->throttle || !shared->address_locks || !shared->zone) return nullptr;
#if (NGX_DEBUG_MALLOC)
  ngx_memzero(shared->zone, shared->zone_size);  // it isn't new: the pool has filled it
#endif
  Zone::format(shared->zone, shared->zone_size);
  gate::LoginThrottle::format(shared->throttle);
  AddressLocks::format(shared->address_locks);
  return shared;
}

ngx_int_t refuse(const ngx_shm_zone_t* zone, const char* why) {
  ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "zone \"%V\": %s", &zone->shm.name, why);
  return NGX_ERROR;
}

// Called in the master, for new memory and for what a reload keeps.
ngx_int_t init(ngx_shm_zone_t* zone, void* old) {
  if (old) {
    zone->data = old;
    return static_cast<SharedMemory*>(old)->compatible() ? NGX_OK
                                                         : refuse(zone, "its contents can't be kept, restart nginx");
  }
  ngx_slab_pool_t* pool = pool_of(zone);
  try {
    SharedMemory* const shared = make(pool);
    if (!shared) return refuse(zone, "no memory");
    pool->data = shared;
    zone->data = shared;
  } catch (const std::exception& e) {
    return refuse(zone, e.what());
  }
  pool->log_nomem = 0;
  return NGX_OK;
}

}  // namespace

ngx_shm_zone_t* SharedMemory::declare(ngx_conf_t* cf, ngx_str_t name, std::size_t size) {
  ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &ngx_wazo_auth_module);
  if (!zone) return nullptr;
  if (zone->init) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is already used", &name);
    return nullptr;
  }
  zone->init = init;
  return zone;
}

// nginx keeps memory by name and size, and frees the rest. (Its `noreuse` is for zones that are made anew by each
// reload: memory that had it is freed by the next reload, even if that keeps it.)
void SharedMemory::set_database(ngx_conf_t* cf, ngx_shm_zone_t* zone, const std::string& conninfo) {
  const std::string name(view(zone->shm.name));
  zone->shm.name = copy(cf->pool, name + "@" + std::to_string(std::hash<std::string>()(conninfo)));
}

namespace {
// "wazsh", then the version of the layout, then the size: raise the version with a change that keeps the size.
constexpr std::uint64_t shared_layout =
    std::uint64_t{0x68'73'7a'61'77} << 24 | std::uint64_t{3} << 16 | std::uint64_t{sizeof(SharedMemory)};
static_assert(sizeof(SharedMemory) < 1 << 16);
}  // namespace

SharedMemory::SharedMemory() : layout(shared_layout) {}

bool SharedMemory::compatible() const {
  return layout == shared_layout && node.compatible() && Zone::compatible(zone, zone_size);
}

SharedMemory& SharedMemory::of(const ngx_shm_zone_t* zone) {
  return *static_cast<SharedMemory*>(zone->data);
}

}  // namespace wazoauth::nginx
