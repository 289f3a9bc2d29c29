#include "wazoauth/saml/flow.h"

#include "wazoauth/base/log.h"

namespace wazoauth::saml {

bool Session::used() const {
  return session_id == "token-already-used";
}

std::optional<Session> session_by_relay_state(UnitOfWork& unit, const std::string& relay_state) {
  if (relay_state.empty() || relay_state.size() > 100 || relay_state.find('\0') != std::string::npos)
    return std::nullopt;
  const Rows rows = unit.run("saml.by_relay_state", {relay_state});
  if (rows.empty()) return std::nullopt;
  return Session{rows.text(0, "request_id"),
                 rows.text(0, "session_id"),
                 rows.text(0, "redirect_url"),
                 rows.text(0, "domain"),
                 rows.optional_text(0, "saml_name_id"),
                 rows.optional_text(0, "login")};
}

std::optional<NameId> name_id_of(const Session& session) {
  try {
    if (session.name_id) return name_id_from_xml(*session.name_id);
  } catch (const BadXml& e) {
    log::warning(std::string("SAML: a NameID in the database: ") + e.what());
  }
  return std::nullopt;
}

Problem processing_error(int status, std::string_view error) {
  return Problem::with_error_id(status, "processing-error", "SAML processing failed", Json::object({{"error", error}}),
                                "saml");
}

Response redirect_to(const std::string& location) {
  Response response;
  response.status = 302;
  response.content_type = "text/html; charset=utf-8";
  response.body =
      "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
      "<p>The browser goes on by itself.</p>\n</html>\n";
  response.headers.emplace_back("Location", location);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace wazoauth::saml
