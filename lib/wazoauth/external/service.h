// External services as the configuration describes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace wazoauth {

// One that hands out tokens (OAuth 2, authorization code).
struct OAuth2Service {
  std::string type;
  // All of them empty: the configuration says nothing of a built-in one.
  std::string authorization_base_url, token_url, redirect_uri;
  std::string websocket_host;  // of the broker: "wss://host"; "": redirect_uri leads to this nginx itself
  std::vector<std::string> scope;
  std::vector<std::pair<std::string, std::string>> parameters;  // further ones of the authorization's address
};

}  // namespace wazoauth
