#include "wazoauth/access/operations.h"

#include <algorithm>

#include "wazoauth/http/http.h"
#include "wazoauth/http/problem.h"

namespace wazoauth::access {

namespace {

using Outcome = openapi::Match::Outcome;

// "https://host/a%20b?c" → "/a b"
std::string path_of(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos && scheme < url.find('/')) {
    url.remove_prefix(scheme + 3);
    url.remove_prefix(std::min(url.find('/'), url.size()));
  }
  return decode_segment(url.substr(0, url.find_first_of("?#")));
}

Problem no_such_operation(const std::string& message, std::string_view method, const std::string& path) {
  return Problem::with_error_id(404, "unknown-operation", message, Json::object({{"method", method}, {"path", path}}),
                                "access");
}

Asked asked(const openapi::RouteTable& table, const openapi::Match& match) {
  if (match.outcome == Outcome::options) return {.method = "OPTIONS", .path = {}, .document = {}, .accesses = {}};
  const openapi::Operation& operation = *match.operation;
  Asked asked{operation.method, operation.path, table.documents()[operation.document].name, operation.need, {}};
  for (std::size_t i = 0; i < operation.accesses.size(); ++i) {
    std::string access;
    if (openapi::append_access(match, i, access)) asked.accesses.push_back(std::move(access));
  }
  return asked;
}

}  // namespace

Asked find_operation(const Documents& documents, std::string_view method, std::string_view url) {
  const std::string path = path_of(url);
  unsigned allowed = 0;
  for (const openapi::RouteTable* table : documents) {
    const openapi::Match match = table->match(method, path);
    if (match.outcome == Outcome::matched || match.outcome == Outcome::options) return asked(*table, match);
    if (match.outcome == Outcome::wrong_method) allowed |= match.allowed;
  }
  if (documents.empty())
    throw no_such_operation("This server has no API documents of daemons (wazo_auth_openapi)", method, path);
  if (allowed != 0)
    throw no_such_operation("The path has other methods: " + openapi::allow_header(allowed), method, path);
  throw no_such_operation("No API document of this server has the path", method, path);
}

}  // namespace wazoauth::access
