// One connection of a pool. Only files of store/ include this: it brings libpqxx along.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "wazoauth/store/statements.h"

namespace wazoauth {

// What was prepared on this connection doesn't work any more: a table was altered, or somebody deallocated it.
// PostgreSQL says so before it runs the statement.
struct StaleStatement : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // `settings`: SQL that is run first, or "".
  Connection(const std::string& conninfo, const std::string& settings, std::chrono::milliseconds limit);

  // Throws StaleStatement, besides what libpqxx does.
  pqxx::result run(const Statement& statement, const std::vector<const char*>& params, bool prepared);
  pqxx::result execute(const std::string& sql, const std::vector<const char*>& params);

  // PostgreSQL itself ends long statements; a frozen one can't, so the socket is shut down from outside.
  void end_overdue(Clock::time_point now);

  const Clock::time_point opened = Clock::now();
  Clock::time_point idle_since = opened;
  std::uint64_t generation = 0;  // of its pool, when it was opened

 private:
  struct Busy;

  pqxx::result run_prepared(const Statement& statement, const std::vector<const char*>& params);

  pqxx::connection pqxx_;
  pqxx::nontransaction transaction_;
  std::chrono::milliseconds limit_;
  std::unordered_set<std::string> known_;        // prepared, and ran well
  std::atomic<Clock::time_point> busy_until_{};  // {}: it isn't busy
  int socket_ = -1;
};

}  // namespace wazoauth
