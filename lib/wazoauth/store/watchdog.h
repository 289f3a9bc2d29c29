// Ends connections whose statement takes too long: one thread for all pools of the process. Only files of store/
// include this.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "wazoauth/store/connection.h"

namespace wazoauth {

class Watchdog {
 public:
  static std::shared_ptr<Watchdog> of_process();  // it ends with the last pool that has it
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start();  // before one connects; throws Unavailable: there is no thread to spare
  void watch(std::weak_ptr<Connection> connection);

 private:
  Watchdog() = default;
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Connection>> connections_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace wazoauth
