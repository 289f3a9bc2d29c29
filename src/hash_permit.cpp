#include "hash_permit.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "ngx.h"

namespace wazoauth::nginx {

namespace {

pthread_mutex_t* mutex_of(const Zone& zone, unsigned index) {
  return static_cast<pthread_mutex_t*>(zone.hash_mutex(index));
}

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

unsigned hash_permits() {
  const int cores = static_cast<int>(ngx_ncpu);
  return std::min<unsigned>(std::max(1, cores - 1), Zone::hash_slots);
}

HashPermit::HashPermit(const Zone& zone, unsigned permits) {
  // Whichever is free first: sleeping on one of them for good would leave others idle.
  for (unsigned turn = static_cast<unsigned>(ngx_pid);; ++turn) {
    for (unsigned i = 0; i < permits; ++i) {
      pthread_mutex_t* mutex = mutex_of(zone, i);
      if (taken(mutex, pthread_mutex_trylock(mutex))) {
        held_ = mutex;
        return;
      }
    }
    pthread_mutex_t* mutex = mutex_of(zone, turn % std::max(1u, permits));
    const timespec end = in_20_ms();
    if (taken(mutex, pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &end))) {
      held_ = mutex;
      return;
    }
  }
}

HashPermit::~HashPermit() {
  pthread_mutex_unlock(held_);
}

}  // namespace wazoauth::nginx
