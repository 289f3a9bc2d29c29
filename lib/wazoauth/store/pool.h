// A pool of connections, opened when they are needed. Only files of store/ include this.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "wazoauth/store/connection.h"
#include "wazoauth/store/database_options.h"

namespace wazoauth {

class Pool {
 public:
  explicit Pool(DatabaseOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  struct Lease {
    std::shared_ptr<Connection> connection;
    bool reused = false;  // it may have died while idle
  };
  Lease acquire();  // throws Unavailable
  void give_back(std::shared_ptr<Connection> connection);
  // A connection that died. The others that are idle most likely died with it, and go as well.
  void discard(std::shared_ptr<Connection> connection);

  const DatabaseOptions& options() const { return options_; }
  void close_idle();
  void limit(int connections);  // from now on

 private:
  std::shared_ptr<Connection> connect();
  void drop_one();
  void watch();

  DatabaseOptions options_;
  const std::string conninfo_;
  std::mutex mutex_;
  std::condition_variable changed_;  // only of those who wait for a connection: one of them is notified
  std::condition_variable stopped_;
  std::vector<std::shared_ptr<Connection>> idle_;
  std::vector<std::weak_ptr<Connection>> all_;
  int open_ = 0;
  bool stopping_ = false;
  std::thread watchdog_;
};

}  // namespace wazoauth
