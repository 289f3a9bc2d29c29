#include "wazoauth/http/problem.h"

#include "wazoauth/base/clock.h"

namespace wazoauth {

namespace {
double now() {
  return static_cast<double>(unix_time().time_since_epoch().count()) / 1e6;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}
}  // namespace

Problem Problem::with_error_id(int status, Json error_id, Json message, Json details, std::string_view resource) {
  Json body = Json::object({{"message", std::move(message)},
                            {"error_id", std::move(error_id)},
                            {"details", std::move(details)},
                            {"timestamp", now()}});
  if (!resource.empty()) body.set("resource", resource);
  return Problem(status, std::move(body));
}

Problem Problem::with_reason(int status, std::string_view reason) {
  return Problem(status, Json::object({{"reason", Json::array({Json(reason)})},
                                       {"timestamp", Json::array({Json(now())})},
                                       {"status_code", status}}));
}

Problem Problem::with_message(int status, std::string_view message) {
  return Problem(status, Json::object({{"message", message}}));
}

namespace problems {

Problem unreadable_body() {
  return Problem::with_message(400, "The browser (or proxy) sent a request that this server could not understand.");
}

Problem unauthorized(Json details) {
  return Problem::with_error_id(401, "unauthorized", "Unauthorized", std::move(details));
}

Problem unauthorized_tenant(std::string_view tenant) {
  return Problem::with_error_id(401, "unauthorized-tenant", "Unauthorized tenant",
                                Json::object({{"tenant_uuid", tenant}}));
}

Problem invalid_data(std::string_view message, Json details, std::string_view resource) {
  return Problem::with_error_id(400, "invalid-data", message, std::move(details), resource);
}

Problem unknown(std::string_view what, std::string_view uuid) {
  return Problem::with_error_id(404, "unknown-" + std::string(what),
                                "No such " + std::string(what) + ": " + quoted(uuid), Json::object({{"uuid", uuid}}),
                                std::string(what) + "s");
}

Problem conflict(std::string_view resource, std::string_view column, std::string_view text, std::string_view message,
                 std::string_view error_id) {
  const Json detail = Json::object({{"constraint_id", "unique"}, {"message", text}});
  return Problem::with_error_id(409, error_id, message, Json::object({{column, detail}}), resource);
}

Problem managed_externally(std::string_view user_uuid) {
  return Problem::with_error_id(405, "password-managed-externally",
                                "Unable to update externally managed password for user : " + quoted(user_uuid),
                                Json::object({{"uuid", user_uuid}}), "users");
}

Problem unavailable() {
  Problem problem = Problem::with_error_id(503, "service-unavailable", "The authentication database is not available",
                                           Json::object());
  problem.headers.emplace_back("Retry-After", "1");
  return problem;
}

Problem top_tenant_unknown() {
  return Problem::with_error_id(503, "top-tenant-not-initialized", "wazo-auth top tenant is not initialized",
                                Json::object());
}

Problem authentication_failed() {
  return Problem::with_reason(401, "Authentication Failed");
}

}  // namespace problems

}  // namespace wazoauth
