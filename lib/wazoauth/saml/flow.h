// The common parts of logins and logouts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "wazoauth/rest/route.h"
#include "wazoauth/saml/providers.h"
#include "wazoauth/saml/response.h"

namespace wazoauth::saml {

// A row of auth_saml_session.
struct Session {
  std::string request_id, session_id, redirect_url, domain;
  std::optional<std::string> name_id;  // XML
  std::optional<std::string> login;    // of one that is finished

  bool used() const;  // it has become a token
};

std::optional<Session> session_by_relay_state(UnitOfWork& unit, const std::string& relay_state);

std::optional<NameId> name_id_of(const Session& session);  // nullopt when there is none, or none that can be read

Problem processing_error(int status, std::string_view error);  // A-form
inline const Failure unknown_context{404, ErrorForm::error_id, "processing-error"};
inline const Failure processing_failed{500, ErrorForm::error_id, "processing-error"};

// They end with their events; nothing happens when there is none.
void delete_token(UnitOfWork& unit, const std::string& token);
void delete_refresh_token(UnitOfWork& unit, const std::string& refresh_token);

// 302 to an address that was checked.
Response redirect_to(const std::string& location);

// A page whose form the browser sends there: by itself, or where no script may run by a click.
Response post_to(const std::string& location, const std::string& message, const std::string& relay_state);

}  // namespace wazoauth::saml
