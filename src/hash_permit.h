// At most cores - 1 password hashes at a time in all workers of this nginx, however many of them there are, so that the
// event loops keep a core.
#pragma once

#include <pthread.h>

#include "wazoauth/cache/zone.h"

namespace wazoauth::nginx {

class HashPermit {
 public:
  HashPermit(const Zone& zone, unsigned permits);  // blocks until there is one
  ~HashPermit();
  HashPermit(const HashPermit&) = delete;
  HashPermit& operator=(const HashPermit&) = delete;

 private:
  pthread_mutex_t* held_ = nullptr;
};

unsigned hash_permits();  // max(1, cores - 1)

}  // namespace wazoauth::nginx
