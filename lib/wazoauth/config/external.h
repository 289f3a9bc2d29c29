// External services as the configuration describes them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/config/reader.h"
#include "wazoauth/http/schema.h"

namespace wazoauth {

// One that hands out tokens (OAuth 2, authorization code).
struct OAuth2Service {
  std::string type;
  // All of them are empty for a built-in service whose addresses the configuration doesn't name completely.
  std::string authorization_base_url, token_url, redirect_uri;
  std::string websocket_host;  // of the broker: "wss://host"; "": redirect_uri leads to this nginx itself
  std::vector<std::string> scope;
  std::vector<std::pair<std::string, std::string>> parameters;  // further ones of the authorization's address
};

// One whose data is only stored.
struct StoredService {
  std::string type;
  std::optional<Schema> data;        // none: any object
  std::vector<std::string> awaited;  // members of a broker's message that become data; none: no broker
  std::string websocket;             // the broker's address, with "{state}" in it
};

// How the list of a user's services shows one that the configuration declares.
struct ShownService {
  std::string type;
  Json plugin_info;  // an object
  Schema data;       // members of the stored data that are shown, when they have these types
};

struct ExternalSettings {
  std::vector<std::string> types;              // enabled and known: google, microsoft, mobile, declared ones
  std::vector<std::string> foreign_types;      // enabled and unknown: plug-ins of the Python daemon
  std::vector<OAuth2Service> oauth2_services;  // those of `types` that hand out tokens
  std::vector<StoredService> stored_services;  // those of external_auth_types that don't
  std::vector<ShownService> shown_services;    // those of external_auth_types
  bool plain_http = false;                     // environment OAUTHLIB_INSECURE_TRANSPORT: for providers nearby
  std::chrono::milliseconds timeout{10000};    // for an answer of a provider
  std::string ca;  // certificates (PEM) of authorities of providers and brokers; "" for the system's
};

ExternalSettings read_external(const ConfigReader& config);  // throws ConfigError

}  // namespace wazoauth
