#include "wazoauth/config/external.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/server_uri.h"

namespace wazoauth {
namespace {

const KnownNames built_in{"google", "microsoft", "mobile"};
const KnownNames service_keys{"oauth2", "data", "awaited", "plugin_info", "shown"};
const KnownNames field_keys{"type",    "required", "nullable", "min_length", "max_length",
                            "minimum", "maximum",  "choices",  "items"};
using TextPairs = std::vector<std::pair<std::string, std::string>>;

// -- fields of declared data ----------------------------------------------------------------------------------------

template <typename Integer>
std::optional<Integer> optional_integer(const ConfigReader& config, const std::string& path, std::int64_t lowest) {
  if (!config.has(path)) return std::nullopt;
  return static_cast<Integer>(config.integer(path, lowest));
}

Field read_field(const ConfigReader& config, const std::string& name, const std::string& path) {
  static const std::map<std::string, Type> types{
      {"string", Type::string},   {"integer", Type::integer}, {"number", Type::number},
      {"boolean", Type::boolean}, {"uuid", Type::uuid},       {"email", Type::email},
      {"list", Type::list},       {"object", Type::object},   {"any", Type::any}};
  config.members(path, field_keys);
  const auto type = types.find(config.text(path + ".type", "string"));
  if (type == types.end())
    config.fail(path + ".type", "must be one of string, integer, number, boolean, uuid, email, list, object, any");
  Field field{.name = name, .type = type->second};
  field.required = config.flag(path + ".required", false);
  field.nullable = config.flag(path + ".nullable", false);
  field.min_length = optional_integer<std::size_t>(config, path + ".min_length", 0);
  field.max_length = optional_integer<std::size_t>(config, path + ".max_length", 0);
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
  field.minimum = optional_integer<std::int64_t>(config, path + ".minimum", lowest);
  field.maximum = optional_integer<std::int64_t>(config, path + ".maximum", lowest);
  field.choices = config.text_or_texts(path + ".choices", {});
  if (field.type == Type::list) {
    const bool any = !config.has(path + ".items");
    field.item =
        std::make_shared<const Field>(any ? Field{.type = Type::any} : read_field(config, "", path + ".items"));
  }
  return field;
}

Schema read_fields(const ConfigReader& config, const std::string& path) {
  Schema schema;
  for (const auto& [name, rules] : config.members(path))
    schema.fields.push_back(read_field(config, name, path + "." + name));
  return schema;
}

// -- services -------------------------------------------------------------------------------------------------------

// What nginx itself says when it asks for consent: nothing may be said twice there (RFC 6749, 3.1). Nor may the secret.
const KnownNames own_parameters{"response_type", "client_id", "client_secret",  "redirect_uri",
                                "scope",         "state",     "code_challenge", "code_challenge_method"};

TextPairs read_parameters(const ConfigReader& config, const std::string& path) {
  TextPairs parameters;
  for (const auto& [name, value] : config.members(path)) {
    if (!value.is_string())
      config.fail(path + "." + name, "must be a text (in quotes, if it looks like something else)");
    if (contains(own_parameters, name)) config.fail(path + "." + name, "has no place here: nginx fills it in");
    parameters.emplace_back(name, value.text());
  }
  return parameters;
}

bool is_host(const std::string& text) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == '_'; };
  if (text.find(':') != std::string::npos) return true;  // IPv6: the parser has looked at it
  return !text.empty() && text.front() != '.' && text.find("..") == std::string::npos &&
         std::all_of(text.begin(), text.end(), allowed);
}

class ServiceReader {
 public:
  ServiceReader(const ConfigReader& config, bool plain_http) : config_(config), plain_http_(plain_http) {}

  std::string https(const std::string& path) const {
    address(path, "https", "http");
    return config_.text(path);
  }

  std::string websocket(const std::string& path) const {
    address(path, "wss", "ws");
    return config_.text(path);
  }

  OAuth2Service oauth2(const std::string& type, const std::string& path, TextPairs parameters) const {
    OAuth2Service service;
    service.type = type;
    service.authorization_base_url = https(path + ".authorization_base_url");
    service.parameters = without_own(path + ".authorization_base_url", std::move(parameters));
    service.token_url = https(path + ".token_url");
    service.redirect_uri = https(path + ".redirect_uri");
    if (config_.optional_text(path + ".websocket_host")) service.websocket_host = broker(path + ".websocket_host");
    while (service.websocket_host.ends_with('/')) service.websocket_host.pop_back();
    service.scope = config_.text_or_texts(path + ".scope", {});
    return service;
  }

  OAuth2Service built_in_oauth2(const std::string& type, TextPairs parameters) const {
    const bool complete = config_.has(type + ".authorization_base_url") && config_.has(type + ".token_url") &&
                          config_.has(type + ".redirect_uri");
    if (complete) return oauth2(type, type, std::move(parameters));
    OAuth2Service service;
    service.type = type;
    service.parameters = std::move(parameters);
    return service;
  }

  StoredService stored(const std::string& type, const std::string& path) const {
    StoredService service{type, {}, config_.text_or_texts(path + ".awaited", {}), ""};
    if (config_.has(path + ".data")) service.data = read_fields(config_, path + ".data");
    if (!service.awaited.empty()) {
      const std::string key = "oauth2_synchronization_ws_url_template";
      service.websocket = websocket(key);
      if (service.websocket.find("{state}") == std::string::npos) config_.fail(key, "must have {state} in it");
    }
    return service;
  }

  ShownService shown(const std::string& type, const std::string& path) const {
    const Json& info = config_.value(path + ".plugin_info");
    config_.members(path + ".plugin_info");
    return {type, info.is_null() ? Json::object() : info, read_fields(config_, path + ".shown")};
  }

 private:
  std::string broker(const std::string& path) const {
    std::string text = websocket(path);
    if (text.find('?') != std::string::npos) config_.fail(path, "can't have a query: /ws/<state> follows");
    return text;
  }

  // The address's own parameters count.
  TextPairs without_own(const std::string& path, TextPairs parameters) const {
    for (const auto& said : address(path, "https", "http").query) {
      if (contains(own_parameters, said.first))
        config_.fail(path, "can't have " + said.first + " in its query: nginx fills it in");
      std::erase_if(parameters, [&](const auto& parameter) { return parameter.first == said.first; });
    }
    return parameters;
  }

  ServerUri address(const std::string& path, const std::string& scheme, const std::string& plain_scheme) const {
    const std::string text = config_.text(path), begins_with = ascii::lower(text.substr(0, text.find("://")));
    if (begins_with != scheme && !(plain_http_ && begins_with == plain_scheme))
      config_.fail(path, "must begin with " + scheme + "://");
    const std::string like = "must be like " + scheme + "://host/path";
    try {
      ServerUri uri = parse_server_uri(text);
      if (!std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 128; }))
        config_.fail(path, like + " in ASCII: a host's name with xn--, anything else with percent signs");
      if (uri.user) config_.fail(path, like + ": no user and no password can stand in it");
      if (!is_host(uri.host)) config_.fail(path, like + ": it names no host");
      return uri;
    } catch (const std::invalid_argument& e) {
      config_.fail(path, like + ": " + e.what());
    }
  }

  const ConfigReader& config_;
  const bool plain_http_;
};

void add_declared_service(const ConfigReader& config, const std::string& type, ExternalSettings& external) {
  const std::string path = "external_auth_types." + type;
  const ServiceReader read(config, external.plain_http);
  config.members(path, service_keys);
  external.shown_services.push_back(read.shown(type, path));
  if (!config.has(path + ".oauth2")) {
    external.stored_services.push_back(read.stored(type, path));
    return;
  }
  for (const char* other : {".data", ".awaited"}) {
    if (config.has(path + other)) config.fail(path + other, "has no place beside \"oauth2\"");
  }
  TextPairs parameters = read_parameters(config, path + ".oauth2.parameters");
  external.oauth2_services.push_back(read.oauth2(type, path + ".oauth2", std::move(parameters)));
}

void require_type_name(const ConfigReader& config, const std::string& section, const std::string& type) {
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || std::isdigit(c) || c == '_' || c == '-';
  };
  if (type.empty() || type.size() > 64 || !std::all_of(type.begin(), type.end(), allowed))
    config.fail(section + "." + type, "is no name: a to z, 0 to 9, '_' and '-'");
  if (contains(built_in, type)) config.fail(section + "." + type, "is built in");
}

// A declared type is switched on, unless enabled_external_auth_plugins names it.
void read_types(const ConfigReader& config, ExternalSettings& external) {
  const std::string section = "enabled_external_auth_plugins", types = "external_auth_types";
  const auto& declared = config.members(types);
  KnownNames known = built_in;
  for (const auto& [type, entry] : declared) {
    require_type_name(config, types, type);
    known.emplace_back(type);
  }
  external.types = config.enabled(section, known);
  const Json& switches = config.value(section);
  for (const auto& [type, on] : config.switches(section, switches)) {
    if (on && !contains(known, type)) external.foreign_types.push_back(type);
  }
  for (const auto& [type, entry] : declared) {
    if (!switches.has(type)) external.types.push_back(type);
  }
}

}  // namespace

ExternalSettings read_external(const ConfigReader& config) {
  ExternalSettings external;
  read_types(config, external);
  const char* plain = std::getenv("OAUTHLIB_INSECURE_TRANSPORT");
  external.plain_http = plain && *plain;
  external.timeout = config.seconds("external_auth_timeout", external.timeout);
  if (const auto file = config.optional_text("external_auth_ca_file"))
    external.ca = config.certificates("external_auth_ca_file", *file);
  const ServiceReader read(config, external.plain_http);
  for (const std::string& type : external.types) {
    if (type == "google")
      external.oauth2_services.push_back(
          read.built_in_oauth2(type, {{"access_type", "offline"}, {"prompt", "consent"}}));
    else if (type == "microsoft")
      external.oauth2_services.push_back(read.built_in_oauth2(type, {}));
    else if (type != "mobile")
      add_declared_service(config, type, external);
  }
  return external;
}

}  // namespace wazoauth
