#include "cpu_permit.h"

#include <algorithm>

#include "ngx.h"

namespace wazoauth::nginx {

unsigned CpuPermits::count() {
  const int cores = static_cast<int>(ngx_ncpu);
  return std::min<unsigned>(std::max(1, cores - 1), most);
}

CpuPermit::CpuPermit(CpuPermits& permits) {
  const unsigned count = CpuPermits::count();
  // Whichever is free first: sleeping on one of them for good would leave others idle.
  for (unsigned turn = static_cast<unsigned>(ngx_pid); !held_; ++turn) {
    for (unsigned i = 0; i < count && !held_; ++i) {
      if (permits.mutex(i).try_lock()) held_ = &permits.mutex(i);
    }
    SharedMutex& next = permits.mutex(turn % count);
    if (!held_ && next.lock_within(std::chrono::milliseconds(20))) held_ = &next;
  }
}

CpuPermit::~CpuPermit() {
  held_->unlock();
}

}  // namespace wazoauth::nginx
