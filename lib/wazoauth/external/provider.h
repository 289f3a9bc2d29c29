// Requests to a service that hands out tokens: tokens for a code, new ones for old ones. Blocks, within
// ExternalSettings::timeout; nothing here touches the database.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "wazoauth/base/json.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/outgoing/form_post.h"

namespace wazoauth::external {

// The credentials in a tenant's configuration of a service.
struct Client {
  std::string id, secret;
};
Client client_of(const Json& config);  // throws std::runtime_error when it holds no such thing

// what() shows no secret, and of what the provider wrote only an error code.
struct ProviderError : std::runtime_error {
  ProviderError(const std::string& what, bool is_final, std::int64_t seconds = 0)
      : std::runtime_error(what), for_good(is_final), retry_after(seconds) {}
  bool for_good;             // trying again with the same grant is of no use
  std::int64_t retry_after;  // seconds for which the provider wants to be left alone
};

// What to log when there is no code. `error`: the service's own word for why (RFC 6749, 4.1.2.1), "" for none.
std::string refusal(const std::string& error);

struct Grant {
  std::string code, redirect_uri;
  std::optional<std::string> verifier;  // of PKCE
};

// The data that is stored for a user: access_token, refresh_token, token_expiration, scope. `scope`: the one that was
// asked for, a list. Throws ProviderError.
Json redeem(const Settings& settings, const OAuth2Service& service, const Client& client, const Grant& grant,
            const Json& scope);
Json renew(const Settings& settings, const OAuth2Service& service, const Client& client, const Json& data);

// The same, of an answer: a refresh token and a scope that it lacks are the old ones.
Json granted(const HttpAnswer& answer, const std::string& refresh_token, const Json& scope);

}  // namespace wazoauth::external
