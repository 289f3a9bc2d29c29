// From the outbox into Redis: revocations become tombstones there. One relay per database at a time, and its Redis
// is the one that counts.
#pragma once

#include <string>

#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/cache/redis_cache.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class RedisRelay {
 public:
  struct Options {
    std::string redis_uri;
    DatabaseOptions database;
    Wake* wake;
  };
  explicit RedisRelay(Options options);

  void run();  // until wake->stop()

 private:
  bool relay();  // false: there was nothing to do, or nothing could be done
  bool bury(const Json& notices, const RedisLife& life);

  Options options_;
  Database database_;
  RedisCache redis_;
  Trouble trouble_{log::Level::warning};
};

}  // namespace wazoauth
