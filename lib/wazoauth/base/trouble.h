// What is wrong with a server, for the log: a line when it begins or becomes another one, and one when it is over. Not
// at each try, and not at each turn of one that comes and goes.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"

namespace wazoauth {

// Any thread may call it.
class Trouble {
 public:
  explicit Trouble(log::Level level, std::string over = "") : level_(level), over_(std::move(over)) {}

  void is(const std::string& line);
  void over();  // costs next to nothing where there is none

 private:
  const log::Level level_;
  const std::string over_;  // what the log says then, "" for nothing
  std::atomic<bool> there_{false};
  std::mutex mutex_;
  BootTime began_;
  bool told_ = false;                     // of this one
  std::map<std::string, BootTime> last_;  // when a line was written
};

}  // namespace wazoauth
