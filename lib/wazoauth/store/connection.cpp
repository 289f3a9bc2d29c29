#include "wazoauth/store/connection.h"

#include <sys/socket.h>

namespace wazoauth {

namespace {
constexpr std::size_t most_prepared = 300;          // on one connection
constexpr std::chrono::milliseconds patience{500};  // beyond the time that PostgreSQL gives a statement

// Debian 12 has libpqxx 6.4, Debian 13 7.10, and their ways to give parameters have nothing in common.
#if PQXX_VERSION_MAJOR < 7
auto bound(const std::vector<const char*>& values) {
  return pqxx::prepare::make_dynamic_params(values);
}

template <typename Transaction>
pqxx::result execute_text(Transaction& transaction, const std::string& sql, const std::vector<const char*>& values) {
  return transaction.exec_params(sql, bound(values));
}

template <typename Transaction>
pqxx::result execute_prepared(Transaction& transaction, const std::string& name,
                              const std::vector<const char*>& values) {
  return transaction.exec_prepared(name, bound(values));
}
#else
pqxx::params bound(const std::vector<const char*>& values) {
  pqxx::params params;
  params.reserve(values.size());
  for (const char* value : values) {
    if (value) {
      params.append(pqxx::zview(value));
    } else {
      params.append();
    }
  }
  return params;
}

template <typename Transaction>
pqxx::result execute_text(Transaction& transaction, const std::string& sql, const std::vector<const char*>& values) {
  return transaction.exec(sql, bound(values));
}

template <typename Transaction>
pqxx::result execute_prepared(Transaction& transaction, const std::string& name,
                              const std::vector<const char*>& values) {
  return transaction.exec(pqxx::prepped{name}, bound(values));
}
#endif

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
#if PQXX_VERSION_MAJOR < 7
// Deprecated, and still the only way to keep libpqxx 6 from reconnecting under a transaction. Later ones never do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pqxx_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
  socket_ = pqxx_.sock();
  if (!settings.empty()) transaction_.exec(settings);
}

pqxx::result Connection::run(const Statement& statement, const std::vector<const char*>& params, bool prepared) {
  const Busy busy(*this);
  // Lists have many forms, each a statement; a server keeps a plan for each in each connection.
  const bool room = known_.size() < most_prepared || known_.contains(statement.name);
  if (prepared && room && !statement.name.empty()) return run_prepared(statement, params);
  return execute_text(transaction_, statement.text, params);
}

pqxx::result Connection::run_prepared(const Statement& statement, const std::vector<const char*>& params) {
  const bool known = known_.contains(statement.name);
  if (!known) {
    pqxx_.prepare(statement.name, statement.text);
    // The server has it from now on, even if this first execution fails. libpqxx 6 waits for one that succeeds.
    if (PQXX_VERSION_MAJOR >= 7) known_.insert(statement.name);
  }
  try {
    const pqxx::result result = execute_prepared(transaction_, statement.name, params);
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
  return execute_text(transaction_, sql, params);
}

void Connection::end_overdue(Clock::time_point now) {
  const Clock::time_point until = busy_until_.load();
  if (until != Clock::time_point{} && now > until) shutdown(socket_, SHUT_RDWR);
}

}  // namespace wazoauth
