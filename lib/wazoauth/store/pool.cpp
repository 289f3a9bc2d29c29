#include "wazoauth/store/pool.h"

#include <algorithm>

#include "wazoauth/store/connection_string.h"
#include "wazoauth/store/errors.h"

namespace wazoauth {

Pool::Pool(DatabaseOptions options) : options_(std::move(options)), conninfo_(connection_string(options_)) {}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  stopped_.notify_all();
  if (watchdog_.joinable()) watchdog_.join();
}

Pool::Lease Pool::acquire() {
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + options_.acquire_timeout;
  while (idle_.empty() && open_ >= options_.connections) {
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && idle_.empty() &&
        open_ >= options_.connections)
      throw Unavailable("no database connection to spare");
  }
  if (!idle_.empty()) {
    Lease lease{idle_.back(), true};
    idle_.pop_back();
    return lease;
  }
  ++open_;
  lock.unlock();
  return Lease{connect(), false};
}

std::shared_ptr<Connection> Pool::connect() {
  try {
    auto connection = std::make_shared<Connection>(conninfo_, options_.statement_timeout);
    const std::lock_guard lock(mutex_);
    all_.push_back(connection);
    if (!watchdog_.joinable() && !stopping_) watchdog_ = std::thread([this] { watch(); });
    return connection;
  } catch (const std::exception& e) {
    drop_one();
    throw Unavailable(e.what());
  }
}

void Pool::give_back(std::shared_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (open_ > options_.connections) {
    --open_;
  } else {
    connection->idle_since = std::chrono::steady_clock::now();
    idle_.push_back(std::move(connection));
  }
  changed_.notify_one();
}

void Pool::discard(std::shared_ptr<Connection> connection) {
  connection.reset();
  std::vector<std::shared_ptr<Connection>> dead;
  {
    const std::lock_guard lock(mutex_);
    --open_;
    open_ -= static_cast<int>(idle_.size());
    dead.swap(idle_);
  }
  changed_.notify_all();
}

void Pool::drop_one() {
  const std::lock_guard lock(mutex_);
  --open_;
  changed_.notify_one();
}

void Pool::close_idle() {
  std::vector<std::shared_ptr<Connection>> old;
  const std::lock_guard lock(mutex_);
  const auto limit = std::chrono::steady_clock::now() - options_.idle_timeout;
  while (!idle_.empty() && (idle_.front()->idle_since < limit || open_ > options_.connections)) {
    old.push_back(std::move(idle_.front()));
    idle_.erase(idle_.begin());
    --open_;
  }
}

void Pool::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    stopped_.wait_for(lock, std::chrono::milliseconds(200));
    const auto now = Connection::Clock::now();
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : all_) {
      if (const auto connection = weak.lock()) connection->end_overdue(now);
    }
  }
}

void Pool::limit(int connections) {
  {
    const std::lock_guard lock(mutex_);
    options_.connections = std::min(options_.connections, connections);
  }
  close_idle();
}

}  // namespace wazoauth
