#include "wazoauth/store/connection.h"

#include <sys/socket.h>

namespace wazoauth {

namespace {
constexpr std::size_t most_prepared = 300;          // on one connection
constexpr std::chrono::milliseconds patience{500};  // beyond the time that PostgreSQL gives a statement

// 0A000: "cached plan must not change result type", and 26000: there is no such prepared statement. Class 42: types or
// columns are other ones than when it was prepared. A right that was taken away (42501) is missed by a new one as well.
bool is_stale(const std::string& state) {
  return state == "0A000" || state == "26000" || (state.starts_with("42") && state != "42501");
}
}  // namespace

struct Connection::Busy {
  explicit Busy(Connection& c) : connection(c) { c.busy_until_ = Clock::now() + c.limit_ + patience; }
  ~Busy() { connection.busy_until_ = Clock::time_point{}; }
  Connection& connection;
};

Connection::Connection(const std::string& conninfo, const std::string& settings, std::chrono::milliseconds limit)
    : pqxx_(conninfo), transaction_(pqxx_), limit_(limit) {
// Deprecated, and still the only way to keep libpqxx 6 from reconnecting under a transaction.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pqxx_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  socket_ = pqxx_.sock();
  if (!settings.empty()) transaction_.exec(settings);
}

pqxx::result Connection::run(const Statement& statement, const std::vector<const char*>& params, bool prepared) {
  const Busy busy(*this);
  // Lists have many forms, each a statement; a server keeps a plan for each in each connection.
  const bool room = known_.size() < most_prepared || known_.contains(statement.name);
  if (prepared && room && !statement.name.empty()) return run_prepared(statement, params);
  return transaction_.exec_params(statement.text, pqxx::prepare::make_dynamic_params(params));
}

pqxx::result Connection::run_prepared(const Statement& statement, const std::vector<const char*>& params) {
  const bool known = known_.contains(statement.name);
  if (!known) pqxx_.prepare(statement.name, statement.text);
  try {
    const pqxx::result result = transaction_.exec_prepared(statement.name, pqxx::prepare::make_dynamic_params(params));
    if (!known) known_.insert(statement.name);
    return result;
  } catch (const pqxx::sql_error& e) {
    if (known && is_stale(e.sqlstate())) throw StaleStatement(e.what());
    throw;
  }
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
