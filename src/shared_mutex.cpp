#include "shared_mutex.h"

#include <cerrno>
#include <ctime>
#include <stdexcept>

namespace wazoauth::nginx {

SharedMutex::SharedMutex() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int failed = pthread_mutex_init(&mutex_, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (failed) throw std::runtime_error("no process-shared mutexes");
}

bool SharedMutex::taken(int result) {
  if (result == EOWNERDEAD) pthread_mutex_consistent(&mutex_);
  return result == 0 || result == EOWNERDEAD;
}

void SharedMutex::lock() {
  if (!taken(pthread_mutex_lock(&mutex_))) throw std::runtime_error("a process-shared mutex can't be locked");
}

bool SharedMutex::try_lock() {
  return taken(pthread_mutex_trylock(&mutex_));
}

bool SharedMutex::lock_within(std::chrono::milliseconds limit) {
  timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  const auto nanoseconds = end.tv_nsec + std::chrono::nanoseconds(limit).count();
  end.tv_sec += nanoseconds / 1'000'000'000;
  end.tv_nsec = nanoseconds % 1'000'000'000;
  return taken(pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &end));
}

void SharedMutex::unlock() {
  pthread_mutex_unlock(&mutex_);
}

}  // namespace wazoauth::nginx
