// A pool of connections, opened when they are needed. Only files of store/ include this.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "wazoauth/store/connection.h"
#include "wazoauth/store/database_options.h"
#include "wazoauth/store/watchdog.h"

namespace wazoauth {

class Pool {
 public:
  explicit Pool(DatabaseOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  struct Lease {
    std::shared_ptr<Connection> connection;
    bool reused = false;  // it may have died while idle
  };
  Lease acquire();  // throws Unavailable
  void give_back(std::shared_ptr<Connection> connection);
  void discard(std::shared_ptr<Connection> connection);  // it died
  // None of those that are as old as this one, or older, is given out again: what is wrong with one of them is wrong
  // with all. Those in use are closed when they come back.
  void renew(std::uint64_t generation);

  const DatabaseOptions& options() const { return options_; }
  void close_idle();
  void limit(int connections);  // from now on
  PoolUsage usage();

 private:
  std::shared_ptr<Connection> connect(std::uint64_t generation);
  std::shared_ptr<Connection> another(std::chrono::steady_clock::time_point deadline);
  void renew_when_told();
  std::vector<std::shared_ptr<Connection>> drop_idle();  // with the lock held; to be closed without it

  DatabaseOptions options_;
  const std::string conninfo_, settings_;
  std::mutex mutex_;
  std::condition_variable changed_;  // only of those who wait for a connection: one of them is notified
  std::vector<std::shared_ptr<Connection>> idle_;
  int open_ = 0;  // in use, idle, or being connected
  int connecting_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t told_ = 0;  // what options_.renewals said last
  const std::shared_ptr<Watchdog> watchdog_ = Watchdog::of_process();
};

}  // namespace wazoauth
