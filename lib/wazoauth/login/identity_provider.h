// Authentication: one identity provider for each way to prove who a user is. docs/spec/endpoints.md section 4.1, steps
// 2 and 3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/base/json.h"
#include "wazoauth/base/log.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

struct Credentials {
  std::string login, password;  // neither is empty
};

// The user whom a provider recognised.
struct Identity {
  std::string user_uuid;
  std::string method;                             // the user must have this one; "": any that is offered will do
  std::string login;                              // what is remembered with a refresh token, and logged
  std::optional<std::string> password_hash;       // the one that was verified: it must still be the user's
  std::optional<std::string> refresh_token_uuid;  // the one that was used
  std::optional<std::string> saml_request_id;     // of the login at an identity provider that this one comes from
  Json metadata = Json::object();                 // kept from an earlier login; the user's own win
};

// A request for a token, on its way through a provider.
struct Login {
  Json body;  // validated
  std::optional<Credentials> credentials;
  std::string remote_addr, user_agent;
  bool mobile = false;
  Identity identity;

  std::string attempted() const;  // the login as it was typed, or a word for what was used instead
};

using LoginPtr = std::shared_ptr<Login>;

class IdentityProvider {
 public:
  using Finish = Step (*)(Context&, const LoginPtr&);

  virtual ~IdentityProvider() = default;
  virtual bool takes_password() const { return false; }  // that of login->credentials
  // Fills in login->identity and goes on with `finish` on the database lane, or ends in refuse(). May take several
  // steps.
  virtual Step identify(Context& context, const LoginPtr& login, Finish finish) const = 0;
};

// Logs the failed login and throws 401. `why` is for the log only: clients learn nothing.
[[noreturn]] void refuse(const Login& login, std::string_view why, log::Level level = log::Level::info);

}  // namespace wazoauth
