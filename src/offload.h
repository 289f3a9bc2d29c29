// Threads of a worker for what may block, and the way back into its event loop.
//
// A job is `work`, run on a thread, then `done`, run in the loop. Neither may throw. Jobs never hold a request: its
// owner clears the pointer when the request ends (see api.cpp, loads.cpp). While jobs are pending a timer
// keeps a graceful exit waiting: nginx looks at nothing else.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ngx.h"
#include "wazoauth/base/log.h"
#include "wazoauth/rest/lanes.h"

namespace wazoauth::nginx {

// Threads inherit the mask: signals are for nginx's own thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

class Offload {
 public:
  // The numbers of threads depend on these two, see lanes.h.
  Offload(unsigned connections, unsigned spare_cores);
  ~Offload();  // stop() must have been called when start() was
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  bool start(ngx_cycle_t* cycle);  // false: logged

  // From the loop. False: the queue is full, nothing will be called.
  bool post(Lane lane, std::function<void()> work, std::function<void()> done);
  std::size_t waiting(Lane lane);
  std::size_t pending() const { return pending_; }

  // From any thread: a line for nginx's error log, written in the loop (a thread must not touch a log that may be
  // reopened at the same time).
  void log(log::Level level, std::string_view message);

  // Drops what waits and ends the threads. False: one of them didn't end within the limit; it still uses whatever its
  // job uses.
  bool stop(std::chrono::milliseconds limit);

 private:
  struct Job {
    std::function<void()> work, done;
  };
  struct Pool {
    unsigned size = 0;  // threads, once there is a job
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> queue;
    std::vector<std::thread> threads;
    bool stopping = false;
  };
  struct Line {
    log::Level level;
    std::string text;
  };

  void start_threads();
  void run(Lane lane);
  Pool& pool_of(Lane lane) { return pools_[static_cast<std::size_t>(lane)]; }
  void notify();
  void drain();
  void drain_lines();
  void hold();
  static void on_event(ngx_event_t* event);
  static void on_hold(ngx_event_t* event);

  Pool pools_[std::size(lanes)];
  std::mutex mutex_;  // of the two that follow
  std::vector<std::function<void()>> finished_;
  std::deque<Line> lines_;
  std::size_t lost_lines_ = 0;
  std::atomic<unsigned> alive_{0};
  std::size_t pending_ = 0;  // only the loop's
  bool started_ = false;
  int fd_ = -1;
  std::thread::id loop_;
  ngx_connection_t* connection_ = nullptr;
  ngx_event_t hold_{};
};

// How a line of the core looks in nginx's log: "(INFO) (wazo_auth) message". In the loop only.
void write_log(log::Level level, std::string_view message);

}  // namespace wazoauth::nginx
