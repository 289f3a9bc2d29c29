#include "wazoauth/store/direct_connection.h"

#include <libpq-fe.h>

#include "wazoauth/base/log.h"
#include "wazoauth/store/connection_string.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string trimmed(const char* message) {
  std::string text = message ? message : "";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void check_conninfo(const std::string& conninfo) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(conninfo.c_str(), &message);
  const std::string text = options ? "" : conninfo_error(message);
  PQfreemem(message);
  if (!options) throw std::runtime_error(text);
  PQconninfoFree(options);
}

void log_notice(void*, const char* message) {
  log::warning(trimmed(message));
}

std::vector<DirectConnection::Row> rows_of(PGconn* connection, const Result& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const char* primary = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
    throw SqlError(primary ? primary : trimmed(PQerrorMessage(connection)), state ? state : "");
  }
  std::vector<DirectConnection::Row> rows(PQntuples(result.get()));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      rows[row].emplace_back(PQgetvalue(result.get(), static_cast<int>(row), column));
    }
  }
  return rows;
}

std::string quoted(PGconn* connection, char* text) {
  if (!text) throw std::runtime_error(trimmed(PQerrorMessage(connection)));
  std::string copy = text;
  PQfreemem(text);
  return copy;
}

}  // namespace

DirectConnection::DirectConnection(const std::string& conninfo) : connection_(nullptr, PQfinish) {
  const std::string uri = libpq_uri(conninfo);
  check_conninfo(uri);
  // The settings of the conninfo itself, expanded at "dbname", win over those before it.
  const char* keywords[] = {"connect_timeout", "fallback_application_name", "client_encoding", "dbname", nullptr};
  const char* values[] = {"10", "wazo-auth", "UTF8", uri.c_str(), nullptr};
  connection_.reset(PQconnectdbParams(keywords, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw Unavailable(trimmed(PQerrorMessage(connection_.get())));
  PQsetNoticeProcessor(connection_.get(), log_notice, nullptr);
  run("SET client_min_messages = warning; SET statement_timeout = 0; SET lock_timeout = 0");
}

std::vector<DirectConnection::Row> DirectConnection::run(const std::string& sql) {
  return rows_of(connection_.get(), Result(PQexec(connection_.get(), sql.c_str()), PQclear));
}

std::vector<DirectConnection::Row> DirectConnection::run(const std::string& sql,
                                                         const std::vector<std::string>& params) {
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  PGresult* result = PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                  values.data(), nullptr, nullptr, 0);
  return rows_of(connection_.get(), Result(result, PQclear));
}

std::string DirectConnection::value(const std::string& sql, const std::vector<std::string>& params) {
  const std::vector<Row> rows = run(sql, params);
  return rows.empty() ? "" : rows[0].at(0);
}

std::string DirectConnection::identifier(const std::string& name) {
  return quoted(connection_.get(), PQescapeIdentifier(connection_.get(), name.c_str(), name.size()));
}

std::string DirectConnection::literal(const std::string& text) {
  return quoted(connection_.get(), PQescapeLiteral(connection_.get(), text.c_str(), text.size()));
}

}  // namespace wazoauth
