// PostgreSQL: a pool of connections, the named statements of sql/queries, one transaction a request.
//
// A statement is text between `-- name: users.get` lines in sql/queries/*.sql, with $1, $2... for parameters. It is
// prepared on first use on each connection. Parameters go as text; PostgreSQL casts them, so write `$1::int` where the
// type isn't clear from the context. `{word}` in a statement is replaced from `Variant`s (only words from code, never
// user input): every variant is a prepared statement of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/store/event.h"
#include "wazoauth/store/token_notice.h"

namespace wazoauth {

// The database can't be reached, doesn't answer in time, or has no connection to spare.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// SQLSTATE class 23. `constraint` is the violated constraint's or unique index's name.
struct ConstraintViolation : std::runtime_error {
  ConstraintViolation(const std::string& what, std::string state, std::string name)
      : std::runtime_error(what), sqlstate(std::move(state)), constraint(std::move(name)) {}
  std::string sqlstate, constraint;
  bool unique() const { return sqlstate == "23505"; }
  bool foreign_key() const { return sqlstate == "23503"; }
};

// SQLSTATE class 22 or 54: a value that PostgreSQL refuses (out of range, NUL in text, bad timestamp, too long).
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A deadlock or serialisation failure: the same work may succeed when it is done again.
struct SerializationFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Param {
 public:
  Param(std::nullopt_t) {}
  Param(std::nullptr_t) {}
  Param(std::string value) : value_(std::move(value)) {}
  Param(std::string_view value) : value_(value) {}
  Param(const char* value) : value_(value) {}
  Param(const std::optional<std::string>& value) : value_(value) {}
  Param(bool value) : value_(value ? "true" : "false") {}
  Param(int value) : value_(std::to_string(value)) {}
  Param(std::int64_t value) : value_(std::to_string(value)) {}
  Param(std::uint64_t value) : value_(std::to_string(value)) {}
  Param(const std::optional<std::int64_t>& value) {
    if (value) value_ = std::to_string(*value);
  }
  Param(const std::vector<std::string>& items);  // a text[] literal
  const std::optional<std::string>& value() const { return value_; }

 private:
  std::optional<std::string> value_;
};

// Rows of an answer; columns by name or number. Copies share the data.
class Rows {
 public:
  struct Data;
  explicit Rows(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  std::size_t affected() const;  // of INSERT, UPDATE, DELETE

  bool is_null(std::size_t row, std::string_view column) const;
  std::string text(std::size_t row, std::string_view column) const;  // "" for NULL
  std::optional<std::string> optional_text(std::size_t row, std::string_view column) const;
  std::int64_t integer(std::size_t row, std::string_view column) const;  // 0 for NULL
  std::optional<std::int64_t> optional_integer(std::size_t row, std::string_view column) const;
  bool boolean(std::size_t row, std::string_view column) const;                    // false for NULL
  std::vector<std::string> texts(std::size_t row, std::string_view column) const;  // text[]; {} for NULL
  Json json(std::size_t row, std::string_view column) const;          // of json, jsonb or JSON text; null for NULL
  std::string bytes(std::size_t row, std::string_view column) const;  // bytea

  // By number, for many rows: the column's, or -1; and its text as it lies there, nullopt for NULL.
  int column(const std::string& name) const;
  std::optional<std::string_view> raw(std::size_t row, int column) const;

 private:
  std::shared_ptr<const Data> data_;
};

using Variant = std::pair<std::string_view, std::string_view>;  // {word} → text

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

class Database {
 public:
  explicit Database(DatabaseOptions options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const DatabaseOptions& options() const;
  void close_idle();            // closes what has been idle too long; call it now and then
  void limit(int connections);  // a draining worker keeps at most one

  class Connection;  // in database.cpp
  struct Pool;

 private:
  friend class UnitOfWork;
  std::unique_ptr<Pool> pool_;
};

enum class Mode {
  write,      // one transaction, committed by commit(), else rolled back
  read_only,  // every statement by itself; nothing to commit
};

// What one request does in the database. Takes a connection at the first statement and gives it back at commit() or
// at its end. A first statement that finds a dead connection is repeated on a new one.
class UnitOfWork {
 public:
  explicit UnitOfWork(Database& database, Mode mode = Mode::write);
  ~UnitOfWork();
  UnitOfWork(const UnitOfWork&) = delete;
  UnitOfWork& operator=(const UnitOfWork&) = delete;

  Rows run(std::string_view statement, std::initializer_list<Param> params = {},
           std::initializer_list<Variant> variants = {});
  Rows run(std::string_view statement, const std::vector<Param>& params, const std::vector<Variant>& variants = {});
  Rows execute(const std::string& sql, const std::vector<Param>& params = {});  // text that isn't in sql/queries

  // Runs `work`; when it throws, what it did is undone and the transaction goes on.
  template <typename Work>
  void savepoint(Work work) {
    execute("SAVEPOINT wazo_auth_part");
    try {
      work();
    } catch (...) {
      execute("ROLLBACK TO SAVEPOINT wazo_auth_part");
      throw;
    }
    execute("RELEASE SAVEPOINT wazo_auth_part");
  }

  void publish(const Event& event);  // into the outbox, in this transaction, in order

  // Commits. Returns the deaths of tokens that this transaction caused, whatever caused them (the trigger on auth_token
  // tells), as "sha256hex:expire_t" texts.
  TokenNotice commit();
  bool started() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
