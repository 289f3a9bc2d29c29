#include "wazoauth/login/refresh_token.h"

namespace wazoauth {

Step RefreshTokenProvider::identify(Context& context, const LoginPtr& login, Finish finish) const {
  const std::string token(login->body.get("refresh_token").text());
  const Rows rows = context.db().run("refresh_tokens.find", {token, login->body.get("client_id").text()});
  if (rows.empty()) refuse(*login, "unknown refresh token");
  login->identity.user_uuid = rows.text(0, "user_uuid");
  login->identity.login = rows.text(0, "login");
  login->identity.refresh_token_uuid = token;
  Json metadata = rows.json(0, "metadata");
  if (metadata.is_object()) login->identity.metadata = std::move(metadata);
  return finish(context, login);
}

}  // namespace wazoauth
