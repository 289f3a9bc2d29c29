#include "wazoauth/store/watchdog.h"

#include <utility>

#include "wazoauth/base/start_thread.h"
#include "wazoauth/store/errors.h"

namespace wazoauth {

namespace {

constexpr std::chrono::milliseconds look_every{200};

}  // namespace

std::shared_ptr<Watchdog> Watchdog::of_process() {
  static std::mutex mutex;
  static std::weak_ptr<Watchdog> current;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Watchdog> watchdog = current.lock();
  if (!watchdog) {
    watchdog.reset(new Watchdog);
    current = watchdog;
  }
  return watchdog;
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::start() {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) thread_ = start_thread("wazo-watchdog", [this] { run(); });
  if (!thread_.joinable()) throw Unavailable("no thread to watch over a database connection");
}

void Watchdog::watch(std::weak_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  connections_.push_back(std::move(connection));
  changed_.notify_all();
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !connections_.empty(); });
    changed_.wait_for(lock, look_every, [this] { return stopping_; });
    if (stopping_) return;
    std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
    const auto watched = connections_;
    lock.unlock();
    // Without the lock: the last one to hold a connection says goodbye to the server.
    for (const auto& weak : watched) {
      if (const auto connection = weak.lock()) connection->end_overdue(Connection::Clock::now());
    }
    lock.lock();
  }
}

}  // namespace wazoauth
