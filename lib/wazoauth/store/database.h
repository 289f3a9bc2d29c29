// PostgreSQL as a pool of connections.
#pragma once

#include <memory>

#include "wazoauth/store/database_options.h"

namespace wazoauth {

class Pool;

class Database {
 public:
  explicit Database(DatabaseOptions options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void close_idle();            // closes what has been idle too long; call it now and then
  void limit(int connections);  // a draining worker keeps at most one
  PoolUsage usage() const;

 private:
  friend class UnitOfWork;
  std::unique_ptr<Pool> pool_;
};

}  // namespace wazoauth
