#include "wazoauth/saml/flow.h"

#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/store/event.h"

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

void delete_token(UnitOfWork& unit, const std::string& token) {
  const Rows session = unit.run("tokens.delete", {token});
  if (!session.empty())
    unit.publish(events::session_deleted(session.text(0, "session_uuid"), session.text(0, "tenant_uuid"),
                                         session.text(0, "auth_id")));
}

void delete_refresh_token(UnitOfWork& unit, const std::string& refresh_token) {
  const Rows refresh = unit.run("saml.delete_refresh_token", {refresh_token});
  if (!refresh.empty())
    unit.publish(events::refresh_token_deleted(refresh.text(0, "tenant_uuid"), refresh.text(0, "user_uuid"),
                                               refresh.text(0, "client_id"), refresh.boolean(0, "mobile")));
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

namespace {

constexpr std::string_view script = "document.forms[0].submit()";

std::string hidden(const char* name, const std::string& value) {
  return std::string("<input type=\"hidden\" name=\"") + name + "\" value=\"" + escape_xml(value) + "\">\n";
}

// It may stand in a frame: there identity providers log out of several services at once.
std::string policy() {
  return "default-src 'none'; script-src 'sha256-" + sha256_base64url(script) + "'; base-uri 'none'";
}

}  // namespace

Response post_to(const std::string& location, const std::string& message, const std::string& relay_state) {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Logging out...</title>\n"
      "<form method=\"post\" action=\"" +
      escape_xml(location) + "\">\n" + hidden("SAMLResponse", message) +
      (relay_state.empty() ? "" : hidden("RelayState", relay_state)) +
      "<noscript><button>Continue</button></noscript>\n</form>\n<script>" + std::string(script) +
      "</script>\n</html>\n";
  response.headers = page_headers(policy());
  return response;
}

}  // namespace wazoauth::saml
