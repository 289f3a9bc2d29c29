// One connection of a pool. Only files of store/ include this: it brings libpqxx along.
#pragma once

#include <atomic>
#include <chrono>
#include <pqxx/pqxx>
#include <string>
#include <unordered_set>
#include <vector>

#include "wazoauth/store/statements.h"

namespace wazoauth {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(const std::string& conninfo, std::chrono::milliseconds limit);

  pqxx::result run(const Statement& statement, const std::vector<const char*>& params, bool prepared);
  pqxx::result execute(const std::string& sql, const std::vector<const char*>& params);

  // PostgreSQL itself ends long statements; a frozen one can't, so the socket is shut down from outside.
  void end_overdue(Clock::time_point now);

  Clock::time_point idle_since = Clock::now();

 private:
  struct Busy;

  pqxx::connection pqxx_;
  pqxx::nontransaction transaction_;
  std::chrono::milliseconds limit_;
  std::unordered_set<std::string> known_;
  std::atomic<Clock::time_point> busy_until_{};  // {}: it isn't busy
  int socket_ = -1;
};

}  // namespace wazoauth
