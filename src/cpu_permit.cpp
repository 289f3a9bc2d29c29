#include "cpu_permit.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>

#include "ngx.h"

namespace wazoauth::nginx {

namespace {

// A worker that died with the permit leaves it to the next one.
bool taken(pthread_mutex_t* mutex, int result) {
  if (result == EOWNERDEAD) pthread_mutex_consistent(mutex);
  return result == 0 || result == EOWNERDEAD;
}

timespec in_20_ms() {
  timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += 20'000'000;
  if (end.tv_nsec >= 1'000'000'000) {
    ++end.tv_sec;
    end.tv_nsec -= 1'000'000'000;
  }
  return end;
}

}  // namespace

// They outlive the workers that use them, one may die with a mutex held.
CpuPermits::CpuPermits() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  for (Permit& permit : permits_) {
    if (pthread_mutex_init(&permit.mutex, &attributes) != 0) throw std::runtime_error("no process-shared mutexes");
  }
  pthread_mutexattr_destroy(&attributes);
}

unsigned CpuPermits::count() {
  const int cores = static_cast<int>(ngx_ncpu);
  return std::min<unsigned>(std::max(1, cores - 1), most);
}

CpuPermit::CpuPermit(CpuPermits& permits) {
  const unsigned count = CpuPermits::count();
  // Whichever is free first: sleeping on one of them for good would leave others idle.
  for (unsigned turn = static_cast<unsigned>(ngx_pid);; ++turn) {
    for (unsigned i = 0; i < count; ++i) {
      pthread_mutex_t* mutex = &permits.mutex(i);
      if (taken(mutex, pthread_mutex_trylock(mutex))) {
        held_ = mutex;
        return;
      }
    }
    pthread_mutex_t* mutex = &permits.mutex(turn % count);
    const timespec end = in_20_ms();
    if (taken(mutex, pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &end))) {
      held_ = mutex;
      return;
    }
  }
}

CpuPermit::~CpuPermit() {
  pthread_mutex_unlock(held_);
}

}  // namespace wazoauth::nginx
