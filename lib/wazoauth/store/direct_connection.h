// One connection outside the pool, for work on databases, roles and schemas: plain statements, no time limits.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace wazoauth {

// A statement that PostgreSQL refused.
struct SqlError : std::runtime_error {
  SqlError(const std::string& what, std::string state) : std::runtime_error(what), sqlstate(std::move(state)) {}
  std::string sqlstate;  // "" when the connection broke
};

class DirectConnection {
 public:
  using Row = std::vector<std::string>;  // "" for NULL

  // A conninfo as for DatabaseOptions. Throws Unavailable when there is no connection to be had, std::runtime_error,
  // whose text shows no part of it, for a conninfo that isn't one.
  explicit DirectConnection(const std::string& conninfo);

  // Throws SqlError. Several statements are one transaction, unless they say otherwise; the rows are those of the last.
  std::vector<Row> run(const std::string& sql);
  std::vector<Row> run(const std::string& sql, const std::vector<std::string>& params);
  std::string value(const std::string& sql, const std::vector<std::string>& params = {});  // first one; "" for none

  std::string identifier(const std::string& name);  // quoted for SQL
  std::string literal(const std::string& text);

 private:
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
};

}  // namespace wazoauth
