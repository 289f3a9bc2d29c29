#include "wazoauth/store/pool.h"

#include <algorithm>
#include <utility>

#include "wazoauth/store/connection_string.h"
#include "wazoauth/store/errors.h"

namespace wazoauth {

Pool::Pool(DatabaseOptions options)
    : options_(std::move(options)), conninfo_(connection_string(options_)), settings_(session_settings(options_)) {}

Pool::Lease Pool::acquire() {
  renew_when_told();
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + options_.acquire_timeout;
  const auto there_is_one = [this] { return !idle_.empty() || open_ < options_.connections; };
  if (!changed_.wait_until(lock, deadline, there_is_one)) throw Unavailable("no database connection to spare");
  if (!idle_.empty()) {
    Lease lease{idle_.back(), true};
    idle_.pop_back();
    return lease;
  }
  ++open_;
  ++connecting_;
  const std::uint64_t generation = generation_;
  lock.unlock();
  try {
    return Lease{connect(generation), false};
  } catch (const std::exception& e) {
    if (auto connection = another(deadline)) return Lease{std::move(connection), true};
    throw Unavailable(e.what());
  }
}

std::shared_ptr<Connection> Pool::connect(std::uint64_t generation) {
  watchdog_->start();
  auto connection = std::make_shared<Connection>(conninfo_, settings_, options_.statement_timeout);
  connection->generation = generation;
  watchdog_->watch(connection);
  const std::lock_guard lock(mutex_);
  --connecting_;
  return connection;
}

// After one that couldn't be made: a server that takes no more of them still serves those that there are.
std::shared_ptr<Connection> Pool::another(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  --open_;
  --connecting_;
  changed_.notify_all();
  changed_.wait_until(lock, deadline, [this] { return !idle_.empty() || open_ == connecting_; });
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Pool::give_back(std::shared_ptr<Connection> connection) {
  std::unique_lock lock(mutex_);
  if (open_ > options_.connections || connection->generation != generation_) {
    --open_;
    changed_.notify_all();
    lock.unlock();  // what is closed meanwhile says goodbye to the server
    return;
  }
  connection->idle_since = std::chrono::steady_clock::now();
  idle_.push_back(std::move(connection));
  changed_.notify_one();
}

void Pool::discard(std::shared_ptr<Connection> connection) {
  const std::uint64_t generation = connection->generation;
  connection.reset();
  {
    const std::lock_guard lock(mutex_);
    --open_;
  }
  renew(generation);
  changed_.notify_all();
}

std::vector<std::shared_ptr<Connection>> Pool::drop_idle() {
  ++generation_;
  open_ -= static_cast<int>(idle_.size());
  changed_.notify_all();
  return std::exchange(idle_, {});
}

void Pool::renew(std::uint64_t generation) {
  std::vector<std::shared_ptr<Connection>> old;
  const std::lock_guard lock(mutex_);
  if (generation == generation_) old = drop_idle();
}

void Pool::renew_when_told() {
  if (!options_.renewals) return;
  std::vector<std::shared_ptr<Connection>> old;
  const std::lock_guard lock(mutex_);
  const std::uint64_t now = options_.renewals();
  const std::uint64_t before = std::exchange(told_, now);
  if (before != 0 && before != now) old = drop_idle();
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

PoolUsage Pool::usage() {
  const std::lock_guard lock(mutex_);
  return {open_, open_ - static_cast<int>(idle_.size()), options_.connections};
}

void Pool::limit(int connections) {
  {
    const std::lock_guard lock(mutex_);
    options_.connections = std::min(options_.connections, connections);
  }
  close_idle();
}

}  // namespace wazoauth
