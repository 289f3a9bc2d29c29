#include "wazoauth/store/unit_of_work.h"

#include <algorithm>
#include <chrono>

#include "wazoauth/base/meters.h"
#include "wazoauth/store/pool.h"
#include "wazoauth/store/rows_data.h"
#include "wazoauth/store/statements.h"

namespace wazoauth {

namespace {

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

// Every statement is prepared by `./dev lint`: what one misses was there in the schema that this version knows.
// Columns, tables, functions, kinds of them, keys for ON CONFLICT; and a new column that must not be NULL.
bool is_of_schema(const std::string& state) {
  return state == "42703" || state == "42P01" || state == "42883" || state == "42704" || state == "42804" ||
         state == "42846" || state == "42809" || state == "42P10" || state == "428C9" || state == "3F000" ||
         state == "23502";
}

// From `word` to the end of its line.
std::string first_line_of(std::string_view message, std::string_view word) {
  const auto begin = message.find(word);
  if (begin == std::string_view::npos) return std::string(message);
  return std::string(message.substr(begin, message.find('\n', begin) - begin));
}

[[noreturn]] void translate(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  if (is_outage(state)) throw Unavailable(error.what());
  if (is_of_schema(state)) throw SchemaLacks("the schema isn't as it is used: " + first_line_of(error.what(), ""));
  if (state.compare(0, 2, "23") == 0) throw ConstraintViolation(error.what(), state, constraint_in(error.what()));
  if (state.compare(0, 2, "22") == 0 || state.compare(0, 2, "54") == 0) throw BadValue(error.what());
  if (state == "WZ001") throw Locked(first_line_of(error.what(), "locked: "));
  if (state == "40001" || state == "40P01") throw SerializationFailure(error.what());
  throw std::runtime_error(error.what());
}

bool lost_connection(const std::string& state) {
  return state.empty() || state.starts_with("57P") || state.starts_with("08");
}

// A server that has just been connected to is the one that there is. Not longer: while servers change places, a new
// connection may become read-only at once.
bool young(const Connection& connection) {
  return Connection::Clock::now() - connection.opened < std::chrono::milliseconds(100);
}
}  // namespace

namespace {

// How long PostgreSQL takes for a statement, with its way there and back.
class Stopwatch {
 public:
  Stopwatch(Meters* meters, std::string_view statement) : meters_(meters), statement_(statement) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    if (!meters_) return;
    meters_->statements.at(statement_.substr(0, statement_.find('.'))).add(std::chrono::steady_clock::now() - began_);
  }

 private:
  Meters* meters_;
  std::string_view statement_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace

// In one round trip. Transactions that notify commit one after the other, so the one that does waits for no disk: if it
// is lost, the relay looks by itself after a while.
constexpr auto commit_and_wake_relay =
    "COMMIT; BEGIN; SET LOCAL synchronous_commit = off; NOTIFY wazo_auth_outbox; COMMIT";

struct UnitOfWork::State {
  State(Pool& p, Mode m, const Actor* a) : pool(p), mode(m), actor(a) {}

  Pool& pool;
  Mode mode;
  const Actor* actor;
  Pool::Lease lease;
  bool begun = false;     // BEGIN went through, or (read only) a statement
  bool may_kill = false;  // something was deleted or updated
  std::vector<Event> events;

  template <typename Work>
  Rows attempt(Work work) {
    for (bool again = true;;) {
      if (!lease.connection && executed && mode == Mode::write) throw Unavailable("the connection was lost before");
      if (!lease.connection) lease = pool.acquire();
      try {
        if (mode == Mode::write && !begun) lease.connection->execute(begin(), {});
        begun = begun || mode == Mode::write;
        auto data = std::make_shared<RowsData>();
        data->result = work(*lease.connection);
        return Rows(std::move(data));
      } catch (const StaleStatement& e) {
        pool.renew(lease.connection->generation);
        start_over(again, e.what());
      } catch (const pqxx::statement_completion_unknown& e) {
        throw Unavailable(e.what());
      } catch (const pqxx::transaction_rollback& e) {  // an sql_error since libpqxx 7
        if (mode == Mode::write) throw SerializationFailure(e.what());
        start_over(again, e.what());
      } catch (const pqxx::sql_error& e) {
        if (lost_connection(e.sqlstate()) && lost(again)) continue;
        if (e.sqlstate() != "25006" || !lease.connection || young(*lease.connection)) translate(e);
        pool.renew(lease.connection->generation);  // the server became a standby, or was fenced off
        start_over(again, e.what());
      } catch (const pqxx::broken_connection& e) {
        if (lost(again)) continue;
        throw Unavailable(e.what());
      }
    }
  }

  std::string begin() const {  // in one round trip
    return "BEGIN; SET LOCAL wazo_auth.actor = '" + (actor ? *actor : this_server()).text() + "'";
  }

  // What failed is worth a second try, and has changed nothing: PostgreSQL undoes a failed statement, and with it all
  // of its transaction. Returns when the statement stands alone or is the transaction's first, so that it can simply be
  // repeated. Where others went before, whoever did them has to do them again: what they read or made isn't there any
  // more.
  void start_over(bool& again, const char* why) {
    if (mode == Mode::write && executed) throw SerializationFailure(why);
    if (!again) throw Unavailable(why);
    again = false;
    rollback();
    begun = false;
  }

  // The connection died. True when it is worth trying on a new one: it was in use before, and nothing was done on it
  // that is lost. A transaction that was cut off is not begun again by itself: what it does may be what ends servers.
  bool lost(bool& again) {
    const bool used = lease.reused || executed;
    const bool retry = again && used && (mode == Mode::read_only || !executed);
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
    } catch (const std::exception&) {
      pool.discard(std::move(lease.connection));
    }
    if (lease.connection) pool.give_back(std::move(lease.connection));
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

UnitOfWork::UnitOfWork(Database& database, Mode mode, const Actor* actor)
    : state_(std::make_unique<State>(*database.pool_, mode, actor)) {}
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
  const bool prepared = state_->pool.options().prepared;
  Meters* const meters = state_->pool.options().meters;
  Rows rows = state_->attempt([&](Connection& c) {
    const Stopwatch stopwatch(meters, name);
    return c.run(statement, values, prepared);
  });
  state_->executed = true;
  state_->may_kill = state_->may_kill || statement.changes_rows;
  return rows;
}

Rows UnitOfWork::execute(const std::string& sql, const std::vector<Param>& params) {
  const auto values = raw(params);
  Meters* const meters = state_->pool.options().meters;
  Rows rows = state_->attempt([&](Connection& c) {
    const Stopwatch stopwatch(meters, "text");
    return c.execute(sql, values);
  });
  state_->executed = true;
  state_->may_kill = true;
  return rows;
}

void UnitOfWork::publish(const Event& event) {
  state_->events.push_back(event);
}

void UnitOfWork::roll_back() {
  state_->rollback();
  state_->begun = state_->executed = state_->may_kill = false;
  state_->events.clear();
}

TokenNotice UnitOfWork::commit() {
  const bool publishes = !state_->events.empty();
  if (publishes) {
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
    Meters* const meters = state_->pool.options().meters;
    state_->attempt([&](Connection& c) {
      const Stopwatch stopwatch(meters, "commit");
      return c.execute(publishes ? commit_and_wake_relay : "COMMIT", {});
    });
    state_->begun = state_->executed = false;
  }
  state_->pool.give_back(std::move(state_->lease.connection));
  state_->lease = {};
  return notice;
}

}  // namespace wazoauth
