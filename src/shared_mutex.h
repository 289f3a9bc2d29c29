// A mutex in memory that processes share. nginx's own would write its debug log from our threads.
#pragma once

#include <pthread.h>

#include <chrono>

namespace wazoauth::nginx {

// It outlives the processes that use it. One that dies with the mutex leaves it to the next.
class SharedMutex {
 public:
  SharedMutex();  // throws std::runtime_error when the system has no such mutexes
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock();
  bool try_lock();
  bool lock_within(std::chrono::milliseconds limit);
  void unlock();

 private:
  bool taken(int result);

  pthread_mutex_t mutex_;
};

}  // namespace wazoauth::nginx
