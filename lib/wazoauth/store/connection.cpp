#include "wazoauth/store/connection.h"

#include <sys/socket.h>

namespace wazoauth {

namespace {
constexpr std::size_t most_prepared = 300;          // on one connection
constexpr std::chrono::milliseconds patience{500};  // beyond the time that PostgreSQL gives a statement
}  // namespace

struct Connection::Busy {
  explicit Busy(Connection& c) : connection(c) { c.busy_until_ = Clock::now() + c.limit_ + patience; }
  ~Busy() { connection.busy_until_ = Clock::time_point{}; }
  Connection& connection;
};

Connection::Connection(const std::string& conninfo, std::chrono::milliseconds limit)
    : pqxx_(conninfo), transaction_(pqxx_), limit_(limit) {
// Deprecated, and still the only way to keep libpqxx 6 from reconnecting under a transaction.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pqxx_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  socket_ = pqxx_.sock();
}

pqxx::result Connection::run(const Statement& statement, const std::vector<const char*>& params, bool prepared) {
  const Busy busy(*this);
  const auto dynamic = pqxx::prepare::make_dynamic_params(params);
  if (!prepared) return transaction_.exec_params(statement.text, dynamic);
  if (!known_.contains(statement.name)) {
    // Lists have many forms, each a statement; a server keeps a plan for each in each connection.
    if (statement.name.empty() || known_.size() >= most_prepared)
      return transaction_.exec_params(statement.text, dynamic);
    pqxx_.prepare(statement.name, statement.text);
    known_.insert(statement.name);
  }
  return transaction_.exec_prepared(statement.name, dynamic);
}

pqxx::result Connection::execute(const std::string& sql, const std::vector<const char*>& params) {
  const Busy busy(*this);
  if (params.empty()) return transaction_.exec(sql);
  return transaction_.exec_params(sql, pqxx::prepare::make_dynamic_params(params));
}

void Connection::end_overdue(Clock::time_point now) {
  const Clock::time_point until = busy_until_.load();
  if (until != Clock::time_point{} && now > until) shutdown(socket_, SHUT_RDWR);
}

}  // namespace wazoauth
