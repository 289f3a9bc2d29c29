// The memory that the processes of this nginx share: its tokens, its state, its counters, and the table that slows down
// guessing of passwords.
#pragma once

#include <string>

#include "counters.h"
#include "cpu_permit.h"
#include "ngx.h"
#include "shared_mutex.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/node_state.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth::nginx {

class ZoneMutex : public ZoneLock {
 public:
  explicit ZoneMutex(SharedMutex& mutex) : mutex_(mutex) {}
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }

 private:
  SharedMutex& mutex_;
};

// The head of this memory, and where the rest lies. A reload keeps it all; processes of two configurations use it then.
struct SharedMemory {
  static constexpr std::size_t minimum_size = 2 << 20;

  SharedMemory();
  bool compatible() const;  // false: another version of the module made this

  const std::uint64_t layout;  // comes first, so that memory of any version shows which it is
  NodeState node;
  Counters counters;
  CpuPermits cpu_permits;
  SharedMutex zone_mutex;         // of those who write into the zone
  void* throttle = nullptr;       // gate::LoginThrottle
  void* address_locks = nullptr;  // AddressLocks
  void* zone = nullptr;           // the tokens, see Zone
  std::size_t zone_size = 0;

  // Null after an error that has been logged.
  static ngx_shm_zone_t* declare(ngx_conf_t* cf, ngx_str_t name, std::size_t size);
  // Where the tokens come from. A reload that names another database gets new memory: the workers of before go on
  // writing tokens of theirs into the old one.
  static void set_database(ngx_conf_t* cf, ngx_shm_zone_t* zone, const std::string& conninfo);
  static SharedMemory& of(const ngx_shm_zone_t* zone);
};

}  // namespace wazoauth::nginx
