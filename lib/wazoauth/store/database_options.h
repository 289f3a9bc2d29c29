// How to reach PostgreSQL, and the limits of a pool of connections.
#pragma once

#include <chrono>
#include <string>

namespace wazoauth {

struct DatabaseOptions {
  std::string conninfo;  // libpq conninfo or URI; SQLAlchemy's postgresql+driver:// is accepted
  int connections = 1;   // most that are open at once
  std::chrono::milliseconds acquire_timeout{5000};  // waiting for one of them
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{10000};
  std::chrono::seconds idle_timeout{60};  // unused ones are closed after that
  bool prepared = true;                   // false: for a pooler in transaction mode

  // The same database by one connection, for what requests of others wait for.
  DatabaseOptions for_short_reads() const;
};

}  // namespace wazoauth
