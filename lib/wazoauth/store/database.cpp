#include "wazoauth/store/database.h"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "wazoauth/base/log.h"
#include "wazoauth/store/connection_string.h"
#include "wazoauth/store/statements.h"

namespace wazoauth {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t most_prepared = 300;  // on one connection

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

// libpqxx 6 keeps the message only. Names of constraints survive translation of the message, so take the longest
// word that can be one of ours.
std::string constraint_in(const std::string& message) {
  std::string longest;
  const std::string line = message.substr(0, message.find('\n'));
  for (std::size_t at = line.find("auth_"); at != std::string::npos; at = line.find("auth_", at + 1)) {
    if (at > 0 && (std::isalnum(static_cast<unsigned char>(line[at - 1])) || line[at - 1] == '_')) continue;
    std::size_t end = at;
    while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) || line[end] == '_')) ++end;
    if (end - at > longest.size()) longest = line.substr(at, end - at);
  }
  return longest;
}

bool is_outage(const std::string& state) {
  return state.empty() || state.compare(0, 2, "08") == 0 || state.compare(0, 2, "53") == 0 ||
         state.compare(0, 3, "57P") == 0 || state == "57014" || state == "55P03" || state == "25006";
}

[[noreturn]] void translate(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  if (is_outage(state)) throw Unavailable(error.what());
  if (state.compare(0, 2, "23") == 0) throw ConstraintViolation(error.what(), state, constraint_in(error.what()));
  if (state.compare(0, 2, "22") == 0 || state.compare(0, 2, "54") == 0) throw BadValue(error.what());
  if (state == "40001" || state == "40P01") throw SerializationFailure(error.what());
  throw std::runtime_error(error.what());
}

}  // namespace

Param::Param(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  value_ = text + "}";
}

struct Rows::Data {
  pqxx::result result;
};

std::size_t Rows::size() const {
  return data_->result.size();
}
std::size_t Rows::affected() const {
  return data_->result.affected_rows();
}

namespace {
pqxx::field field(const pqxx::result& result, std::size_t row, std::string_view column) {
  return result.at(static_cast<pqxx::result::size_type>(row)).at(std::string(column));
}
}  // namespace

bool Rows::is_null(std::size_t row, std::string_view column) const {
  return field(data_->result, row, column).is_null();
}

std::string Rows::text(std::size_t row, std::string_view column) const {
  return optional_text(row, column).value_or("");
}

std::optional<std::string> Rows::optional_text(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return std::nullopt;
  return std::string(cell.c_str(), cell.size());
}

std::int64_t Rows::integer(std::size_t row, std::string_view column) const {
  return optional_integer(row, column).value_or(0);
}

std::optional<std::int64_t> Rows::optional_integer(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return std::nullopt;
  return std::stoll(cell.c_str());
}

bool Rows::boolean(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  return !cell.is_null() && cell.c_str()[0] == 't';
}

std::vector<std::string> Rows::texts(std::size_t row, std::string_view column) const {
  std::vector<std::string> items;
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return items;
  pqxx::array_parser parser(cell.c_str());
  using Juncture = pqxx::array_parser::juncture;
  for (auto [juncture, item] = parser.get_next(); juncture != Juncture::done;
       std::tie(juncture, item) = parser.get_next()) {
    if (juncture == Juncture::string_value) items.push_back(item);
  }
  return items;
}

Json Rows::json(std::size_t row, std::string_view column) const {
  const auto cell = optional_text(row, column);
  if (!cell) return Json();
  return Json::parse(*cell).value_or(Json());
}

int Rows::column(const std::string& name) const {
  for (pqxx::row::size_type i = 0; i < data_->result.columns(); ++i) {
    if (name == data_->result.column_name(i)) return i;
  }
  return -1;
}

std::optional<std::string_view> Rows::raw(std::size_t row, int column) const {
  const pqxx::field cell = data_->result[static_cast<pqxx::result::size_type>(row)][column];
  if (cell.is_null()) return std::nullopt;
  return std::string_view(cell.c_str(), cell.size());
}

std::string Rows::bytes(std::size_t row, std::string_view column) const {
  const auto cell = optional_text(row, column);
  if (!cell) return "";
  std::size_t size = 0;
  unsigned char* raw = PQunescapeBytea(reinterpret_cast<const unsigned char*>(cell->c_str()), &size);
  std::string value(reinterpret_cast<char*>(raw), size);
  PQfreemem(raw);
  return value;
}

// -- connections -----------------------------------------------------------------------------------------------

class Database::Connection {
 public:
  Connection(const std::string& conninfo, std::chrono::milliseconds limit)
      : pqxx_(conninfo), transaction_(pqxx_), limit_(limit) {
// Deprecated, and still the only way to keep libpqxx 6 from reconnecting under a transaction.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    pqxx_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    socket_ = pqxx_.sock();
  }

  pqxx::result run(const Statement& statement, const std::vector<const char*>& params, bool prepared) {
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

  pqxx::result execute(const std::string& sql, const std::vector<const char*>& params) {
    const Busy busy(*this);
    if (params.empty()) return transaction_.exec(sql);
    return transaction_.exec_params(sql, pqxx::prepare::make_dynamic_params(params));
  }

  // PostgreSQL itself ends long statements; a frozen one can't, so the socket is shut down from outside.
  void end_overdue(std::int64_t now_ms) {
    const std::int64_t until = busy_until_.load();
    if (until != 0 && now_ms > until) shutdown(socket_, SHUT_RDWR);
  }

  Clock::time_point idle_since = Clock::now();

 private:
  struct Busy {
    explicit Busy(Connection& c) : connection(c) { c.busy_until_ = steady_ms() + c.limit_.count() + 500; }
    ~Busy() { connection.busy_until_ = 0; }
    Connection& connection;
  };

  pqxx::connection pqxx_;
  pqxx::nontransaction transaction_;
  std::chrono::milliseconds limit_;
  std::unordered_set<std::string> known_;
  std::atomic<std::int64_t> busy_until_{0};
  int socket_ = -1;
};

struct Database::Pool {
  explicit Pool(DatabaseOptions o) : options(std::move(o)), conninfo(connection_string(options)) {}

  ~Pool() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    stopped.notify_all();
    if (watchdog.joinable()) watchdog.join();
  }

  struct Lease {
    std::shared_ptr<Connection> connection;
    bool reused = false;  // it may have died while idle
  };

  Lease acquire() {
    std::unique_lock lock(mutex);
    const auto deadline = Clock::now() + options.acquire_timeout;
    while (idle.empty() && open >= options.connections) {
      if (changed.wait_until(lock, deadline) == std::cv_status::timeout && idle.empty() && open >= options.connections)
        throw Unavailable("no database connection to spare");
    }
    if (!idle.empty()) {
      Lease lease{idle.back(), true};
      idle.pop_back();
      return lease;
    }
    ++open;
    lock.unlock();
    return Lease{connect(), false};
  }

  std::shared_ptr<Connection> connect() {
    try {
      auto connection = std::make_shared<Connection>(conninfo, options.statement_timeout);
      const std::lock_guard lock(mutex);
      all.push_back(connection);
      if (!watchdog.joinable() && !stopping) watchdog = std::thread([this] { watch(); });
      return connection;
    } catch (const std::exception& e) {
      drop_one();
      throw Unavailable(e.what());
    }
  }

  void give_back(std::shared_ptr<Connection> connection) {
    const std::lock_guard lock(mutex);
    if (open > options.connections) {
      --open;
    } else {
      connection->idle_since = Clock::now();
      idle.push_back(std::move(connection));
    }
    changed.notify_one();
  }

  // The others that are idle most likely died with this one.
  void discard(std::shared_ptr<Connection> connection) {
    connection.reset();
    std::vector<std::shared_ptr<Connection>> dead;
    {
      const std::lock_guard lock(mutex);
      --open;
      open -= static_cast<int>(idle.size());
      dead.swap(idle);
    }
    changed.notify_all();
  }

  void drop_one() {
    const std::lock_guard lock(mutex);
    --open;
    changed.notify_one();
  }

  void close_idle() {
    std::vector<std::shared_ptr<Connection>> old;
    const std::lock_guard lock(mutex);
    const auto limit = Clock::now() - options.idle_timeout;
    while (!idle.empty() && (idle.front()->idle_since < limit || open > options.connections)) {
      old.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
      --open;
    }
  }

  void watch() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      stopped.wait_for(lock, std::chrono::milliseconds(200));
      const std::int64_t now = steady_ms();
      std::erase_if(all, [](const auto& weak) { return weak.expired(); });
      for (const auto& weak : all) {
        if (const auto connection = weak.lock()) connection->end_overdue(now);
      }
    }
  }

  DatabaseOptions options;
  std::string conninfo;
  std::mutex mutex;
  std::condition_variable changed;  // only of those who wait for a connection: one of them is notified
  std::condition_variable stopped;
  std::vector<std::shared_ptr<Connection>> idle;
  std::vector<std::weak_ptr<Connection>> all;
  int open = 0;
  bool stopping = false;
  std::thread watchdog;
};

DatabaseOptions DatabaseOptions::for_short_reads() const {
  DatabaseOptions options = *this;
  options.connections = 1;
  options.acquire_timeout = std::chrono::milliseconds(3000);
  options.connect_timeout = options.statement_timeout = std::chrono::milliseconds(2000);
  return options;
}

Database::Database(DatabaseOptions options) : pool_(std::make_unique<Pool>(std::move(options))) {}
Database::~Database() = default;
const DatabaseOptions& Database::options() const {
  return pool_->options;
}
void Database::close_idle() {
  pool_->close_idle();
}

void Database::limit(int connections) {
  {
    const std::lock_guard lock(pool_->mutex);
    pool_->options.connections = std::min(pool_->options.connections, connections);
  }
  pool_->close_idle();
}

// -- one request -------------------------------------------------------------------------------------------------

struct UnitOfWork::State {
  State(Database::Pool& p, Mode m) : pool(p), mode(m) {}

  Database::Pool& pool;
  Mode mode;
  Database::Pool::Lease lease;
  bool begun = false;     // BEGIN went through, or (read only) a statement
  bool may_kill = false;  // something was deleted or updated
  std::vector<Event> events;

  template <typename Work>
  Rows attempt(Work work) {
    for (bool again = true;;) {
      if (!lease.connection && executed && mode == Mode::write) throw Unavailable("the connection was lost before");
      if (!lease.connection) lease = pool.acquire();
      try {
        if (mode == Mode::write && !begun) lease.connection->execute("BEGIN", {});
        begun = begun || mode == Mode::write;
        auto data = std::make_shared<Rows::Data>();
        data->result = work(*lease.connection);
        return Rows(std::move(data));
      } catch (const pqxx::sql_error& e) {
        if (e.sqlstate().empty() || e.sqlstate().compare(0, 3, "57P") == 0 || e.sqlstate().compare(0, 2, "08") == 0) {
          if (lost(again)) continue;
        }
        translate(e);
      } catch (const pqxx::statement_completion_unknown& e) {
        throw Unavailable(e.what());
      } catch (const pqxx::transaction_rollback& e) {  // no sql_error in libpqxx 6
        throw SerializationFailure(e.what());
      } catch (const pqxx::broken_connection& e) {
        if (lost(again)) continue;
        throw Unavailable(e.what());
      }
    }
  }

  // The connection died. True when nothing had been done on it and it is worth trying on a new one.
  bool lost(bool& again) {
    const bool retry = again && lease.reused && !executed;
    again = false;
    begun = false;
    pool.discard(std::move(lease.connection));
    lease = {};
    return retry;
  }

  bool executed = false;  // a statement beyond BEGIN succeeded

  void rollback() {
    if (!lease.connection) return;
    try {
      if (mode == Mode::write && begun) lease.connection->execute("ROLLBACK", {});
      pool.give_back(std::move(lease.connection));
    } catch (const std::exception&) {
      pool.discard(std::move(lease.connection));
    }
    lease = {};
  }
};

namespace {
std::vector<const char*> raw(const std::vector<Param>& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const Param& param : params) {
    if (param.value() && param.value()->find('\0') != std::string::npos) throw BadValue("NUL in a text");
    values.push_back(param.value() ? param.value()->c_str() : nullptr);
  }
  return values;
}
}  // namespace

UnitOfWork::UnitOfWork(Database& database, Mode mode) : state_(std::make_unique<State>(*database.pool_, mode)) {}
UnitOfWork::~UnitOfWork() {
  state_->rollback();
}
bool UnitOfWork::started() const {
  return state_->begun || !state_->events.empty();
}

Rows UnitOfWork::run(std::string_view statement, std::initializer_list<Param> params,
                     std::initializer_list<Variant> variants) {
  return run(statement, std::vector<Param>(params), std::vector<Variant>(variants));
}

Rows UnitOfWork::run(std::string_view name, const std::vector<Param>& params, const std::vector<Variant>& variants) {
  const Statement statement = find_statement(name, variants);
  const auto values = raw(params);
  const bool prepared = state_->pool.options.prepared;
  Rows rows = state_->attempt([&](Database::Connection& c) { return c.run(statement, values, prepared); });
  state_->executed = true;
  state_->may_kill = state_->may_kill || statement.changes_rows;
  return rows;
}

Rows UnitOfWork::execute(const std::string& sql, const std::vector<Param>& params) {
  const auto values = raw(params);
  Rows rows = state_->attempt([&](Database::Connection& c) { return c.execute(sql, values); });
  state_->executed = true;
  state_->may_kill = true;
  return rows;
}

void UnitOfWork::publish(const Event& event) {
  state_->events.push_back(event);
}

TokenNotice UnitOfWork::commit() {
  if (!state_->events.empty()) {
    std::vector<std::string> keys, headers, bodies;
    for (const Event& event : state_->events) {
      keys.push_back(event.routing_key);
      headers.push_back(event_headers(event).dump());
      bodies.push_back(event.data.dump());
    }
    run("outbox.publish", {Param(keys), Param(headers), Param(bodies)});
    state_->events.clear();
  }
  TokenNotice notice;
  if (!state_->lease.connection) return notice;
  if (state_->mode == Mode::write) {
    if (state_->may_kill) notice = parse_token_notice(run("outbox.killed").text(0, "killed"));
    state_->attempt([](Database::Connection& c) { return c.execute("COMMIT", {}); });
    state_->begun = state_->executed = false;
  }
  state_->pool.give_back(std::move(state_->lease.connection));
  state_->lease = {};
  return notice;
}

}  // namespace wazoauth
