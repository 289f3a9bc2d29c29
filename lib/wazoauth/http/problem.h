// A client's mistake, or the server's trouble, as an answer. Rules throw it; Call turns it into the response. Forms and
// texts are those of docs/spec/http-conventions.md sections 6 and 7, where the forms are called A, R and M.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

class Problem : public std::exception {
 public:
  Problem(int status, Json body) : status_(status), body_(std::move(body)) {}
  const char* what() const noexcept override { return "problem"; }
  int status() const { return status_; }
  const Json& body() const { return body_; }
  std::vector<std::pair<std::string, std::string>> headers;

  // A: {"message", "error_id", "details", "timestamp"[, "resource"]}. `resource` is left out when empty.
  static Problem with_error_id(int status, Json error_id, Json message, Json details, std::string_view resource = {});
  // R: {"reason": [...], "timestamp": [...], "status_code"}
  static Problem with_reason(int status, std::string_view reason);
  static Problem with_message(int status, std::string_view message);  // M: {"message"}

 private:
  int status_;
  Json body_;
};

namespace problems {
Problem unreadable_body();                                                                // 400 M
Problem unauthorized(Json details);                                                       // 401 A
Problem unauthorized_tenant(std::string_view tenant);                                     // 401 A
Problem invalid_data(std::string_view message, Json details, std::string_view resource);  // 400 A
Problem unknown(std::string_view what, std::string_view uuid);  // 404 A: what = "user" → unknown-user, resource users
Problem conflict(std::string_view resource, std::string_view column, std::string_view text,
                 std::string_view message = "Conflict detected", std::string_view error_id = "conflict");  // 409 A
Problem managed_externally(std::string_view user_uuid);                                                    // 405 A
Problem unavailable();            // 503 A, Retry-After: 1; the database is away
Problem top_tenant_unknown();     // 503 A
Problem authentication_failed();  // 401 R
}  // namespace problems

}  // namespace wazoauth
