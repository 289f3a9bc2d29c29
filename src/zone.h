// The shared memory of this nginx: the token zone, and the table that slows down guessing of passwords.
#pragma once

#include <string>

#include "ngx.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth::nginx {

class ZoneMutex : public ZoneLock {
 public:
  explicit ZoneMutex(ngx_shmtx_t& mutex) : mutex_(mutex) {}
  void lock() override { ngx_shmtx_lock(&mutex_); }
  void unlock() override { ngx_shmtx_unlock(&mutex_); }

 private:
  ngx_shmtx_t& mutex_;
};

// What the head of the memory says; the rest of it follows. Lives in the shared memory itself.
struct SharedMemory {
  static constexpr std::size_t minimum_size = 2 << 20;

  void* throttle;  // gate::LoginThrottle
  void* zone;
  std::size_t zone_size;
  std::uint64_t database;  // a hash of its conninfo

  // Null after an error that has been logged.
  static ngx_shm_zone_t* declare(ngx_conf_t* cf, ngx_str_t name, std::size_t size);
  // Where the tokens come from. A reload that names another database gets new memory: the workers of before go on
  // writing tokens of theirs into the old one.
  static void set_database(ngx_conf_t* cf, ngx_shm_zone_t* zone, const std::string& conninfo);
  static const SharedMemory& of(const ngx_shm_zone_t* zone);
  static ngx_shmtx_t& mutex(const ngx_shm_zone_t* zone);
};

}  // namespace wazoauth::nginx
