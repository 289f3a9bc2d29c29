// External services as the configuration describes them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/http/schema.h"

namespace wazoauth {

// One that hands out tokens (OAuth 2, authorization code).
struct OAuth2Service {
  std::string type;
  // All of them empty: the configuration doesn't say them all of a built-in one.
  std::string authorization_base_url, token_url, redirect_uri;
  std::string websocket_host;  // of the broker: "wss://host"; "": redirect_uri leads to this nginx itself
  std::vector<std::string> scope;
  std::vector<std::pair<std::string, std::string>> parameters;  // further ones of the authorization's address
};

// One of which data is only kept.
struct StoredService {
  std::string type;
  std::optional<Schema> data;        // none: any object
  std::vector<std::string> awaited;  // members of a broker's message that become data; none: no broker is listened to
  std::string websocket;             // where it is, with "{state}" in it
};

// What the list of a user's services shows of one that is declared in the configuration.
struct ShownService {
  std::string type;
  Json plugin_info;  // an object
  Schema data;       // of the data, as far as it is like this
};

}  // namespace wazoauth
