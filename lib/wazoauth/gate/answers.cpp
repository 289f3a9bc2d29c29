#include "wazoauth/gate/answers.h"

namespace wazoauth::gate {

namespace {

Problem later(int status, Json error_id, Json message, const char* seconds) {
  Problem problem = Problem::with_error_id(status, std::move(error_id), std::move(message), Json::object());
  problem.headers.emplace_back("Retry-After", seconds);
  return problem;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "The browser (or proxy) sent a request that this server could not understand.";
    case 404:
      return "Not Found";
    case 408:
      return "Request Time-out";
    case 411:
      return "Length Required";
    case 413:
      return "The data value transmitted exceeds the capacity limit.";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Bad Request" : "Internal Server Error";
  }
}

}  // namespace

Problem no_token(std::string_view token, std::string_view required_access) {
  return problems::unauthorized(Json::object(
      {{"invalid_token", token}, {"reason", "not_found_or_expired"}, {"required_access", required_access}}));
}

Problem denied(int status, std::string_view token, std::string_view required_access, std::string_view wanted_tenant) {
  Json details = Json::object({{"invalid_token", token},
                               {"reason", "missing_permission_or_invalid_tenant"},
                               {"required_access", required_access},
                               {"tenant_uuid", wanted_tenant.empty() ? Json() : Json(wanted_tenant)}});
  if (status == 401) return problems::unauthorized(std::move(details));
  details.erase("invalid_token");
  return Problem::with_error_id(status, "forbidden", "Forbidden", std::move(details));
}

Problem locked_address() {
  return Problem::with_error_id(403, "locked-address", "Requests from this address are refused", Json::object());
}

Problem two_tokens() {
  return Problem::with_error_id(400, "ambiguous-token", "The request carries different tokens", Json::object());
}

Problem ambiguous_path() {
  return Problem::with_error_id(400, "ambiguous-path", "The path of the request can be read in several ways",
                                Json::object());
}

Problem two_methods() {
  return Problem::with_error_id(400, "ambiguous-method", "The request names different methods", Json::object());
}

Problem two_tenants() {
  return Problem::with_error_id(400, "ambiguous-tenant", "The request names different tenants", Json::object());
}

Problem overloaded() {
  return later(503, "service-unavailable", "Too many requests are waiting", "1");
}
Problem starting() {
  return later(503, "service-unavailable", "The service is starting", "2");
}
Problem too_many_logins() {
  return later(429, "too-many-requests", "Too many failed logins", "10");
}

Problem plain(int status) {
  return Problem::with_message(status, reason_phrase(status));
}

}  // namespace wazoauth::gate
