// How threads of the background wait: for some time, for work, or for the end.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace wazoauth {

class Wake {
 public:
  Wake() = default;
  ~Wake() {
    if (end_ != -1) close(end_);
  }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  // False when it is time to stop. Returns early when poke() was called since the last wait with this `seen`.
  bool wait(std::chrono::milliseconds time, std::uint64_t& seen) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return stopping_ || pokes_ != seen; });
    seen = pokes_;
    return !stopping_;
  }
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return stopping_; });
    return !stopping_;
  }
  void poke() {
    {
      const std::lock_guard lock(mutex_);
      ++pokes_;
    }
    changed_.notify_all();
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (end_ != -1) eventfd_write(end_, 1);
  }
  bool stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }
  // For poll(): readable from stop() on. -1, which poll() passes over, when the process has no descriptor to spare.
  int end() const { return end_; }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t pokes_ = 0;
  bool stopping_ = false;
  const int end_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

}  // namespace wazoauth
