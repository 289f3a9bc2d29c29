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

#include "cpu_permit.h"
#include "ngx.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/password_hash.h"
#include "wazoauth/rest/fair_queue.h"
#include "wazoauth/rest/lanes.h"

namespace wazoauth::nginx {

class Offload {
 public:
  // The limits of the lanes depend on the numbers, see lanes.h. Whoever hashes has one of the permits.
  Offload(unsigned connections, unsigned cpu_threads, CpuPermits& permits);
  ~Offload();  // stop() must have been called when start() was
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  bool start(ngx_cycle_t* cycle);  // false: logged

  // From the loop. Starts a thread when none of the lane's is idle and its limit isn't reached. False: the queue is
  // full, or the lane has no thread and can't get one; nothing will be called.
  bool post(Lane lane, std::function<void()> work, std::function<void()> done);
  // To Lane::hashing: what `to_hash` gives is hashed with what waits beside it, then `work` is run. Null: nobody waits
  // for it any more. Whoever asks take turns by their `origin`, and one of them has at most a quarter of the queue.
  bool post_hashing(std::uint64_t origin, std::function<PasswordToHash*()> to_hash, std::function<void()> work,
                    std::function<void()> done);
  struct Usage {
    std::size_t waiting, threads, busy;
  };
  Usage usage(Lane lane);
  std::size_t pending() const { return pending_; }
  bool has_threads() const { return alive_ != 0; }

  // From any thread: a line for the logs, written in the loop (a thread must not touch a log that may be
  // reopened at the same time).
  void log(log::Line line);

  void close();  // drops what waits; from now on nothing is taken, and threads end with their job
  // Closes, and waits for the threads. False: one of them didn't end within the limit; it still uses whatever its job
  // uses.
  bool stop(std::chrono::milliseconds limit);

 private:
  struct Job {
    std::function<void()> work, done;
    std::function<PasswordToHash*()> to_hash;
    std::uint64_t origin = 0;
  };
  struct Pool {
    std::size_t most = 0;  // threads
    std::vector<std::thread> threads;
    std::mutex mutex;  // of those that follow
    std::condition_variable wake;
    FairQueue<Job> queue;
    std::size_t idle = 0;  // threads that wait for a job
    bool stopping = false;
  };
  bool post(Lane lane, Job job, std::size_t most);
  // With the pool's lock, and a job in its queue. They leave it unlocked; there may be none left to take.
  static std::vector<Job> take_one(Pool& pool, std::unique_lock<std::mutex>& lock);
  std::vector<Job> take_hashed(Pool& pool, std::unique_lock<std::mutex>& lock);
  static void hash(std::vector<Job>& jobs);
  bool grow(Lane lane);  // false: the system has no thread to spare
  void run(Lane lane);
  Pool& pool_of(Lane lane) { return pools_[static_cast<std::size_t>(lane)]; }
  void notify();
  void drain();
  void drain_lines();
  void hold();
  static void on_event(ngx_event_t* event);
  static void on_hold(ngx_event_t* event);

  Pool pools_[std::size(lanes)];
  CpuPermits& permits_;
  std::mutex mutex_;  // of the two that follow
  std::vector<std::function<void()>> finished_;
  std::deque<log::Line> lines_;
  std::size_t lost_lines_ = 0;
  std::atomic<unsigned> alive_{0};
  std::size_t pending_ = 0;  // only the loop's
  int fd_ = -1;
  std::thread::id loop_;
  ngx_connection_t* connection_ = nullptr;
  ngx_event_t hold_{};
};

// To nginx's log, where it looks like "(INFO) (wazo_auth) message", and to our own. In the loop only.
void write_log(log::Line line);

}  // namespace wazoauth::nginx
