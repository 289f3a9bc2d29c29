// How to reach PostgreSQL, and the limits of a pool of connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace wazoauth {

struct Meters;

struct PoolUsage {
  int open, in_use, most;  // connections
};

struct DatabaseOptions {
  std::string conninfo;  // libpq conninfo or URI; SQLAlchemy's postgresql+driver:// is accepted
  int connections = 1;   // most that are open at once
  std::chrono::milliseconds acquire_timeout{5000};  // waiting for one of them
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{10000};
  std::chrono::seconds idle_timeout{60};  // unused ones are closed after that
  bool prepared = true;                   // false: for a pooler in transaction mode
  // One plan for all uses of a statement, made at the first. False: for many rows at once, whose cascades would keep a
  // plan of when the tables were small.
  bool generic_plans = true;
  // When what it returns changes, connections that were opened before aren't used any more: they may lead to a server
  // that isn't the database's any more. May be empty; called from any thread.
  std::function<std::uint64_t()> renewals;

  Meters* meters = nullptr;  // null: nothing is measured

  // The same database by one connection, for what requests of others wait for.
  DatabaseOptions for_short_reads() const;
};

}  // namespace wazoauth
