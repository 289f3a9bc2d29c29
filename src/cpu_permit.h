// At most cores - 1 threads hash passwords at a time in all workers of this nginx, however many of them there are, so
// that the event loops keep a core.
#pragma once

#include "shared_mutex.h"

namespace wazoauth::nginx {

// In memory that the workers share.
class CpuPermits {
 public:
  static unsigned count();  // max(1, cores - 1)
  SharedMutex& mutex(unsigned permit) { return permits_[permit].mutex; }

 private:
  static constexpr unsigned most = 64;
  struct alignas(64) Permit {
    SharedMutex mutex;
  };
  Permit permits_[most];
};

class CpuPermit {
 public:
  explicit CpuPermit(CpuPermits& permits);  // blocks until there is one
  ~CpuPermit();
  CpuPermit(const CpuPermit&) = delete;
  CpuPermit& operator=(const CpuPermit&) = delete;

 private:
  SharedMutex* held_ = nullptr;
};

}  // namespace wazoauth::nginx
