#include "wazoauth/store/database.h"

#include "wazoauth/store/pool.h"

namespace wazoauth {

DatabaseOptions DatabaseOptions::for_short_reads() const {
  DatabaseOptions options = *this;
  options.connections = 1;
  options.acquire_timeout = std::chrono::milliseconds(3000);
  options.connect_timeout = options.statement_timeout = std::chrono::milliseconds(2000);
  return options;
}

Database::Database(DatabaseOptions options) : pool_(std::make_unique<Pool>(std::move(options))) {}
Database::~Database() = default;

void Database::close_idle() {
  pool_->close_idle();
}

void Database::limit(int connections) {
  pool_->limit(connections);
}

PoolUsage Database::usage() const {
  return pool_->usage();
}

}  // namespace wazoauth
