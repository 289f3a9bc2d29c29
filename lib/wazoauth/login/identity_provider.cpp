#include "wazoauth/login/identity_provider.h"

namespace wazoauth {

std::string Login::attempted() const {
  if (!identity.login.empty()) return identity.login;
  if (body.has("refresh_token") && body.has("client_id"))
    return "refresh token " + log::mask_token(body.get("refresh_token").text());
  if (body.has("saml_session_id")) return "SAML session";
  return credentials ? credentials->login : "";
}

// JSON-quoted, so that a line feed in user input cannot forge a log line.
void refuse(const Login& login, std::string_view why, log::Level level) {
  log::write(level,
             "Failed login of " + Json(login.attempted()).dump() + " from " + login.remote_addr + " using agent " +
                 Json(login.user_agent).dump() + ": " + std::string(why),
             {{"event", "login_failed"},
              {"client", login.remote_addr},
              {"login", login.attempted()},
              {"user_agent", login.user_agent},
              {"reason", std::string(why)}});
  throw problems::authentication_failed();
}

}  // namespace wazoauth
