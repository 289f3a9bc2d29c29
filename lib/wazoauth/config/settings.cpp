#include "wazoauth/config/settings.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/url.h"
#include "wazoauth/config/text_file.h"

namespace wazoauth {
namespace {

using Names = std::vector<std::string_view>;

const Names http_plugins{
    "api",    "idp",         "backends",       "config",      "email_confirm",     "external",     "group_policy",
    "groups", "ldap_config", "password_reset", "policies",    "sessions",          "status",       "tenants",
    "tokens", "user_email",  "user_group",     "user_policy", "user_registration", "user_session", "users",
    "saml",   "saml_config"};
// The last two never let anybody in; installations of the daemon may name them.
const Names backend_plugins{"ldap_user", "wazo_user", "broken_init", "broken_verify_password"};
const Names metadata_plugins{"default_user", "default_internal", "default_external_api", "user_admin_status"};
const Names external_auth_plugins{"google", "microsoft", "mobile"};
const Names idp_plugins{"saml", "ldap"};
const Names purposes{"user", "internal", "external_api"};

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Typed values of a tree by their path, keys joined with '.'.
class Reader {
 public:
  Reader(const Json& tree, const Places& places) : tree_(tree), places_(places) {}

  [[noreturn]] void fail(const std::string& path, const std::string& what) const {
    const auto place = places_.find(path);
    throw ConfigError("\"" + path + "\" " + what, place == places_.end() ? "" : place->second.file,
                      place == places_.end() ? 0 : place->second.line);
  }

  Json value(const std::string& path) const {
    Json current = tree_;
    for (std::size_t start = 0; start <= path.size();) {
      const std::size_t end = std::min(path.find('.', start), path.size());
      if (!current.is_object() && !current.is_null()) fail(path.substr(0, start - 1), "must be a mapping");
      current = current.get(path.substr(start, end - start));
      start = end + 1;
    }
    return current;
  }

  bool flag(const std::string& path, bool fallback) const {
    const Json found = value(path);
    return found.is_null() ? fallback && !present(path) : !found.is_falsy();
  }

  std::int64_t integer(const std::string& path, std::int64_t lowest,
                       std::int64_t highest = std::numeric_limits<std::int64_t>::max()) const {
    const Json found = value(path);
    if (!found.is_integer()) fail(path, "must be an integer");
    if (found.integer() < lowest) fail(path, "must be at least " + std::to_string(lowest));
    if (found.integer() > highest) fail(path, "must be at most " + std::to_string(highest));
    return found.integer();
  }

  double number(const std::string& path) const {
    const Json found = value(path);
    if (!found.is_number()) fail(path, "must be a number");
    return found.number();
  }

  std::optional<std::string> optional_text(const std::string& path) const {
    const Json found = value(path);
    if (found.is_null()) return std::nullopt;
    if (!found.is_string()) fail(path, "must be a text (in quotes, if it looks like something else)");
    return std::string(found.text());
  }

  std::string text(const std::string& path, const std::string& fallback = "") const {
    return optional_text(path).value_or(fallback);
  }

  std::vector<std::string> texts(const std::string& path, const Json& list) const {
    if (!list.is_array()) fail(path, "must be a list");
    std::vector<std::string> items;
    for (const auto& item : list.items()) {
      if (!item.is_string()) fail(path, "must hold texts only");
      items.emplace_back(item.text());
    }
    return items;
  }

  // A list or a single text; `fallback` when there is none.
  std::vector<std::string> text_or_texts(const std::string& path, std::vector<std::string> fallback) const {
    const Json found = value(path);
    if (found.is_null()) return fallback;
    if (found.is_string()) return {std::string(found.text())};
    return texts(path, found);
  }

  // Members of a mapping; none for null.
  std::vector<std::pair<std::string, Json>> members(const std::string& path) const {
    return members(path, value(path));
  }

  std::vector<std::pair<std::string, Json>> members(const std::string& path, const Json& found) const {
    if (!found.is_null() && !found.is_object()) fail(path, "must be a mapping");
    return found.members();
  }

  std::vector<std::pair<std::string, bool>> switches(const std::string& path, const Json& found) const {
    std::vector<std::pair<std::string, bool>> result;
    for (const auto& [name, on] : members(path, found)) result.emplace_back(name, !on.is_falsy());
    return result;
  }

 private:
  bool present(const std::string& path) const {
    const auto dot = path.rfind('.');
    return dot == std::string::npos ? tree_.has(path) : value(path.substr(0, dot)).has(path.substr(dot + 1));
  }

  const Json& tree_;
  const Places& places_;
};

// Some, and none of them broken.
bool has_certificates(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                         BIO_free);
  if (!source) throw std::bad_alloc();
  std::size_t count = 0;
  while (X509* one = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
    X509_free(one);
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return count > 0 && at_end;
}

class Maker {
 public:
  Maker(const Json& tree, const Places& places, std::vector<std::string>& warnings)
      : tree_(tree), read_(tree, places), warnings_(warnings) {}

  Settings make(const std::string& xivo_uuid) {
    process(xivo_uuid);
    tokens();
    seeding();
    plugins();
    directories();
    external_services();
    bus();
    cors();
    mails();
    saml();
    finish_tree();
    return std::move(s_);
  }

 private:
  void warn(std::string text) { warnings_.push_back(std::move(text)); }

  void process(const std::string& xivo_uuid) {
    s_.xivo_uuid = xivo_uuid;
    s_.debug = read_.flag("debug", false);
    s_.log_level = log_level();
    s_.db_uri = read_.text("db_uri");
    s_.db_connect_retry_timeout_seconds = read_.integer("db_connect_retry_timeout_seconds", 0);
    s_.db_upgrade_on_startup = read_.flag("db_upgrade_on_startup", false);
    s_.max_threads = static_cast<int>(read_.integer("rest_api.max_threads", 1, 10000));
    s_.num_proxies = static_cast<int>(read_.integer("rest_api.num_proxies", 0, 10000));
  }

  int log_level() const {
    const std::string name = ascii::lower(read_.text("log_level"));
    static const std::map<std::string, int> levels{
        {"debug", 10}, {"info", 20}, {"warning", 30}, {"error", 40}, {"critical", 50}};
    if (name.empty()) return levels.at("info");
    const auto level = levels.find(name);
    if (level == levels.end()) read_.fail("log_level", "must be one of critical, error, warning, info, debug");
    return level->second;
  }

  void tokens() {
    s_.default_token_lifetime = read_.integer("default_token_lifetime", 1);
    s_.token_cleanup_interval = read_.number("token_cleanup_interval");
    s_.token_cleanup_batch_size = read_.integer("token_cleanup_batch_size", 1);
    s_.max_user_concurrent_sessions = read_.integer("max_user_concurrent_sessions", 0);
    s_.default_user_policy = read_.optional_text("default_user_policy");
    for (const auto& [backend, policy] : read_.members("backend_policies")) {
      if (policy.is_null()) continue;
      if (!policy.is_string()) read_.fail("backend_policies." + backend, "must be a policy's name");
      s_.backend_policies[backend] = policy.text();
    }
  }

  void seeding() {
    s_.update_policy_on_startup = read_.flag("update_policy_on_startup", true);
    for (const auto& [slug, entry] : read_.members("default_policies"))
      s_.default_policies.push_back(policy(slug, entry));
    s_.all_users_policies = read_.switches("all_users_policies", read_.value("all_users_policies"));
    for (const auto& [slug, entry] : read_.members("tenant_default_groups")) {
      const std::string path = "tenant_default_groups." + slug;
      read_.members(path, entry);
      s_.tenant_default_groups.push_back({slug, read_.switches(path + ".policies", entry.get("policies"))});
    }
    s_.bootstrap_user_on_startup = read_.flag("bootstrap_user_on_startup", false);
    s_.bootstrap_user_username = read_.optional_text("bootstrap_user_username");
    s_.bootstrap_user_password = read_.optional_text("bootstrap_user_password");
    s_.bootstrap_user_purpose = read_.text("bootstrap_user_purpose", s_.bootstrap_user_purpose);
    s_.bootstrap_user_policy_slug = read_.text("bootstrap_user_policy_slug", s_.bootstrap_user_policy_slug);
  }

  DefaultPolicy policy(const std::string& slug, const Json& entry) const {
    const std::string path = "default_policies." + slug;
    read_.members(path, entry);
    if (!entry.has("acl")) read_.fail(path, "needs an \"acl\"");
    const Json description = entry.get("description");
    if (!description.is_null() && !description.is_string()) read_.fail(path + ".description", "must be a text");
    return {slug, entry.text_or("description", "Automatically created"), read_.texts(path + ".acl", entry.get("acl")),
            !entry.get("shared").is_falsy()};
  }

  // Enabled and known, in the order of the configuration.
  std::vector<std::string> enabled(const std::string& section, const Names& known) {
    std::vector<std::string> names;
    for (const auto& [name, on] : read_.switches(section, read_.value(section))) {
      if (!on) continue;
      if (contains(known, name)) {
        names.push_back(name);
      } else {
        warn(section + ": \"" + name + "\" is not known and skipped");
      }
    }
    return names;
  }

  void plugins() {
    for (const auto& name : enabled("enabled_http_plugins", http_plugins)) s_.enabled_http_plugins[name] = true;
    s_.backends = enabled("enabled_backend_plugins", backend_plugins);
    s_.metadata_plugins = enabled("enabled_metadata_plugins", metadata_plugins);
    external_types();
    identity_providers();
    metadata_of_purposes();
    if (read_.text("email_notification_plugin") != "smtp") warn("email_notification_plugin: only \"smtp\" is known");
  }

  void identity_providers() {
    std::vector<std::pair<double, std::string>> found;
    for (const auto& [name, entry] : read_.members("idp_plugins")) {
      const std::string path = "idp_plugins." + name;
      read_.members(path, entry);
      if (entry.get("enabled").is_falsy()) continue;
      if (!contains(idp_plugins, name)) {
        warn("idp_plugins: \"" + name + "\" is not known and skipped");
        continue;
      }
      if (name == "ldap" && std::find(s_.backends.begin(), s_.backends.end(), "ldap_user") == s_.backends.end()) {
        warn("idp_plugins: \"ldap\" needs enabled_backend_plugins.ldap_user and is skipped");
        continue;
      }
      const Json priority = entry.has("priority") ? entry.get("priority") : Json(100);
      if (!priority.is_number()) read_.fail(path + ".priority", "must be a number");
      found.emplace_back(priority.number(), name);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [priority, name] : found) s_.idps.push_back(std::move(name));
  }

  void directories() {
    s_.ldap.limits.network = seconds("ldap.network_timeout", s_.ldap.limits.network);
    s_.ldap.limits.operation = seconds("ldap.operation_timeout", s_.ldap.limits.operation);
    s_.ldap.limits.login = seconds("ldap.login_timeout", s_.ldap.limits.login);
    s_.ldap.ca_file = read_.text("ldap.ca_file");
    s_.ldap.logins_per_directory = static_cast<std::size_t>(read_.integer("ldap.logins_per_directory", 1, 1000));
    s_.outgoing.loopback = read_.flag("outgoing.loopback", true);
  }

  // 0.1 s to a minute.
  std::chrono::milliseconds seconds(const std::string& path, std::chrono::milliseconds fallback) const {
    if (read_.value(path).is_null()) return fallback;
    const double found = read_.number(path);
    if (!(found >= 0.1 && found <= 60)) read_.fail(path, "must be seconds, 0.1 to 60");
    return std::chrono::milliseconds(static_cast<std::int64_t>(found * 1000));
  }

  void metadata_of_purposes() {
    const std::string section = "purpose_metadata_mapping";
    for (const auto& [purpose, list] : read_.members(section)) {
      if (!contains(purposes, purpose)) {
        warn(section + ": \"" + purpose + "\" is no purpose");
        continue;
      }
      auto& plugins = s_.purpose_metadata_mapping[purpose];
      if (list.is_null()) continue;
      for (auto& name : read_.texts(section + "." + purpose, list)) {
        if (std::find(s_.metadata_plugins.begin(), s_.metadata_plugins.end(), name) != s_.metadata_plugins.end()) {
          plugins.push_back(std::move(name));
        } else {
          warn(section + "." + purpose + ": \"" + name + "\" is not enabled or not known, and skipped");
        }
      }
    }
  }

  void external_services() {
    const char* plain = std::getenv("OAUTHLIB_INSECURE_TRANSPORT");
    s_.plain_http = plain && *plain;
    s_.external_auth_timeout = seconds("external_auth_timeout", s_.external_auth_timeout);
    if (const auto file = read_.optional_text("external_auth_ca_file"))
      s_.external_auth_ca = certificates("external_auth_ca_file", *file);
    for (const std::string& type : s_.external_types) {
      if (type == "google")
        s_.oauth2_services.push_back(oauth2_service(type, type, {{"access_type", "offline"}, {"prompt", "consent"}}));
      else if (type == "microsoft")
        s_.oauth2_services.push_back(oauth2_service(type, type, {}));
      else if (type != "mobile")
        declared_service(type, "external_auth_types." + type);
    }
  }

  // A declared type is switched on, unless something says otherwise.
  void external_types() {
    const std::string section = "enabled_external_auth_plugins", types = "external_auth_types";
    const auto declared = read_.members(types);
    Names known = external_auth_plugins;
    for (const auto& [type, entry] : declared) {
      const auto allowed = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || std::isdigit(c) || c == '_' || c == '-';
      };
      if (type.empty() || type.size() > 64 || !std::all_of(type.begin(), type.end(), allowed))
        read_.fail(types + "." + type, "is no name: a to z, 0 to 9, '_' and '-'");
      if (contains(external_auth_plugins, type)) read_.fail(types + "." + type, "is built in");
      known.emplace_back(type);
    }
    s_.external_types = enabled(section, known);
    const Json switches = read_.value(section);
    for (const auto& [type, on] : read_.switches(section, switches)) {
      if (on && !contains(known, type)) s_.foreign_external_types.push_back(type);
    }
    for (const auto& [type, entry] : declared) {
      if (!switches.has(type)) s_.external_types.push_back(type);
    }
    for (const auto& name : s_.external_types) s_.enabled_http_plugins["external." + name] = true;
  }

  void declared_service(const std::string& type, const std::string& path) {
    for (const auto& [key, value] : read_.members(path)) {
      if (!contains({"oauth2", "data", "awaited", "plugin_info", "shown"}, key))
        read_.fail(path + "." + key, "is not known");
    }
    const Json info = read_.value(path + ".plugin_info");
    read_.members(path + ".plugin_info");
    s_.shown_services.push_back({type, info.is_null() ? Json::object() : info, {data_fields(path + ".shown"), {}, ""}});
    if (!read_.value(path + ".oauth2").is_null()) {
      for (const char* other : {".data", ".awaited"}) {
        if (!read_.value(path + other).is_null()) read_.fail(path + other, "has no place beside \"oauth2\"");
      }
      return s_.oauth2_services.push_back(
          oauth2_service(type, path + ".oauth2", parameters(path + ".oauth2.parameters")));
    }
    StoredService service{type, {}, read_.text_or_texts(path + ".awaited", {}), ""};
    if (!read_.value(path + ".data").is_null()) service.data = Schema{data_fields(path + ".data"), {}, ""};
    if (!service.awaited.empty()) {
      const std::string key = "oauth2_synchronization_ws_url_template";
      service.websocket = address(key, "wss://", "ws://");
      if (service.websocket.find("{state}") == std::string::npos) read_.fail(key, "must have {state} in it");
    }
    s_.stored_services.push_back(std::move(service));
  }

  std::vector<Field> data_fields(const std::string& path) const {
    std::vector<Field> fields;
    for (const auto& [name, rules] : read_.members(path)) fields.push_back(data_field(name, path + "." + name));
    return fields;
  }

  Field data_field(const std::string& name, const std::string& path) const {
    static const std::map<std::string, Type> types{
        {"string", Type::string},   {"integer", Type::integer}, {"number", Type::number},
        {"boolean", Type::boolean}, {"uuid", Type::uuid},       {"email", Type::email},
        {"list", Type::list},       {"object", Type::object},   {"any", Type::any}};
    for (const auto& [key, value] : read_.members(path)) {
      if (!contains(
              {"type", "required", "nullable", "min_length", "max_length", "minimum", "maximum", "choices", "items"},
              key))
        read_.fail(path + "." + key, "is not known");
    }
    const auto type = types.find(read_.text(path + ".type", "string"));
    if (type == types.end())
      read_.fail(path + ".type", "must be one of string, integer, number, boolean, uuid, email, list, object, any");
    Field field{.name = name, .type = type->second};
    field.required = read_.flag(path + ".required", false);
    field.nullable = read_.flag(path + ".nullable", false);
    field.min_length = optional_integer<std::size_t>(path + ".min_length", 0);
    field.max_length = optional_integer<std::size_t>(path + ".max_length", 0);
    constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
    field.minimum = optional_integer<std::int64_t>(path + ".minimum", lowest);
    field.maximum = optional_integer<std::int64_t>(path + ".maximum", lowest);
    field.choices = read_.text_or_texts(path + ".choices", {});
    if (field.type == Type::list) {
      const bool plain = read_.value(path + ".items").is_null();
      field.item = std::make_shared<const Field>(plain ? Field{.type = Type::any} : data_field("", path + ".items"));
    }
    return field;
  }

  template <typename Integer>
  std::optional<Integer> optional_integer(const std::string& path, std::int64_t lowest) const {
    if (read_.value(path).is_null()) return std::nullopt;
    return static_cast<Integer>(read_.integer(path, lowest));
  }

  std::vector<std::pair<std::string, std::string>> parameters(const std::string& path) const {
    std::vector<std::pair<std::string, std::string>> list;
    for (const auto& [name, value] : read_.members(path)) {
      if (!value.is_string())
        read_.fail(path + "." + name, "must be a text (in quotes, if it looks like something else)");
      list.emplace_back(name, value.text());
    }
    return list;
  }

  using TextPairs = std::vector<std::pair<std::string, std::string>>;

  OAuth2Service oauth2_service(const std::string& type, const std::string& path, TextPairs parameters) const {
    OAuth2Service service;
    service.type = type;
    service.parameters = std::move(parameters);
    const auto missing = [&](const char* key) { return read_.value(path + key).is_null(); };
    const bool built_in = path == type;
    if (built_in && (missing(".authorization_base_url") || missing(".token_url") || missing(".redirect_uri")))
      return service;
    service.authorization_base_url = address(path + ".authorization_base_url", "https://", "http://");
    service.token_url = address(path + ".token_url", "https://", "http://");
    service.redirect_uri = address(path + ".redirect_uri", "https://", "http://");
    if (read_.optional_text(path + ".websocket_host"))
      service.websocket_host = address(path + ".websocket_host", "wss://", "ws://");
    while (service.websocket_host.ends_with('/')) service.websocket_host.pop_back();
    service.scope = read_.text_or_texts(path + ".scope", {});
    return service;
  }

  std::string address(const std::string& path, std::string_view scheme, std::string_view plain_scheme) const {
    std::string text = read_.text(path);
    std::string_view rest = text;
    if (rest.starts_with(scheme))
      rest.remove_prefix(scheme.size());
    else if (s_.plain_http && rest.starts_with(plain_scheme))
      rest.remove_prefix(plain_scheme.size());
    else
      read_.fail(path, "must begin with " + std::string(scheme));
    const auto printable = [](unsigned char c) { return c > ' ' && c < 127; };
    if (rest.empty() || rest.front() == '/' || rest.find('#') != std::string_view::npos ||
        !std::all_of(rest.begin(), rest.end(), printable))
      read_.fail(path, "must be like " + std::string(scheme) + "host/path");
    return text;
  }

  void bus() {
    s_.amqp_uri = read_.text("amqp.uri");
    s_.amqp_exchange_name = read_.text("amqp.exchange_name");
    s_.amqp_exchange_type = read_.text("amqp.exchange_type");
    s_.amqp_exchange_durable = read_.flag("amqp.exchange_durable", true);
  }

  void cors() {
    s_.cors_enabled = read_.flag("rest_api.cors.enabled", true);
    s_.cors_allow_headers = read_.text_or_texts("rest_api.cors.allow_headers", {"*"});
    s_.cors_origins = read_.text_or_texts("rest_api.cors.origins", {"*"});
    s_.cors_methods =
        read_.text_or_texts("rest_api.cors.methods", {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"});
    s_.cors_expose_headers = read_.text_or_texts("rest_api.cors.expose_headers", {});
    s_.cors_supports_credentials = read_.flag("rest_api.cors.supports_credentials", false);
    s_.cors_send_wildcard = read_.flag("rest_api.cors.send_wildcard", false);
    s_.cors_vary_header = read_.flag("rest_api.cors.vary_header", true);
    const Json max_age = read_.value("rest_api.cors.max_age");
    if (max_age.is_integer()) {
      s_.cors_max_age = std::to_string(max_age.integer());
    } else {
      s_.cors_max_age = read_.optional_text("rest_api.cors.max_age");
    }
  }

  void mails() {
    s_.smtp.hostname = read_.text("smtp.hostname");
    if (s_.smtp.hostname.empty() || !is_host(s_.smtp.hostname)) read_.fail("smtp.hostname", "must be a host's name");
    s_.smtp.port = static_cast<int>(read_.integer("smtp.port", 1, 65535));
    s_.smtp.timeout = seconds("smtp.timeout", s_.smtp.timeout);
    security();
    s_.confirmation_mail = mail("email_confirmation_", "email_confirmation_");
    s_.reset_mail = mail("password_reset_", "password_reset_email_");
    s_.email_confirmation_get_response_body_template = read_.text("email_confirmation_get_response_body_template");
    s_.email_confirmation_get_mimetype = header_text("email_confirmation_get_mimetype");
    s_.password_reset_mails_per_hour = read_.integer("password_reset_mails_per_hour", 0);
    if (const auto url = read_.optional_text("email_link_url")) s_.email_link = link_base(*url);
  }

  void security() {
    const std::string tls = read_.text("smtp.tls", "none");
    if (tls != "none" && tls != "starttls" && tls != "tls") read_.fail("smtp.tls", "must be none, starttls or tls");
    if (tls != "none") s_.smtp.tls = tls == "tls" ? SmtpServer::Tls::implicit : SmtpServer::Tls::starttls;
    if (const auto file = read_.optional_text("smtp.ca_file")) {
      if (tls == "none") read_.fail("smtp.ca_file", "is of no use without \"smtp.tls\"");
      s_.smtp.ca = certificates("smtp.ca_file", *file);
    }
    s_.smtp.username = header_text("smtp.username");
    s_.smtp.password = header_text("smtp.password");
    if (s_.smtp.username.empty() && !s_.smtp.password.empty())
      read_.fail("smtp.password", "needs an \"smtp.username\"");
    if (s_.smtp.password.empty() && !s_.smtp.username.empty())
      read_.fail("smtp.username", "needs an \"smtp.password\"");
    if (!s_.smtp.username.empty() && tls == "none" && !read_.flag("smtp.login_without_tls", false))
      read_.fail("smtp.username",
                 "needs \"smtp.tls\", or \"smtp.login_without_tls: true\": else the password can be read");
  }

  std::string certificates(const std::string& path, const std::string& file) const {
    try {
      std::string text = read_text_file(file);
      if (!has_certificates(text)) throw FileError(file + ": it holds no certificates (PEM), or broken ones");
      return text;
    } catch (const FileError& error) {
      read_.fail(path, std::string("can't be used: ") + error.what());
    }
  }

  MailSettings mail(const std::string& prefix, const std::string& prefix_of_templates) const {
    return {read_.integer(prefix + "expiration", 1, 100LL * 366 * 86400), read_.text(prefix_of_templates + "template"),
            read_.text(prefix_of_templates + "subject_template"), header_text(prefix + "from_name"),
            header_text(prefix + "from_address")};
  }

  void saml() {
    saml::SamlSettings& settings = s_.saml;
    settings.acs_url_template = read_.text("saml.acs_url_template");
    settings.key_file = read_.text("saml.key_file");
    settings.cert_file = read_.text("saml.cert_file");
    settings.session_lifetime = read_.integer("saml.saml_session_lifetime_seconds", 60, 100LL * 366 * 86400);
    settings.rules.clock_skew = read_.integer("saml.clock_skew_seconds", 0, 600);
    settings.rules.allow_sha1 = read_.flag("saml.allow_sha1", false);
    const Json urls = read_.value("saml.redirect_urls");
    if (!urls.is_null()) settings.redirect_urls = read_.texts("saml.redirect_urls", urls);
    for (const std::string& url : settings.redirect_urls) {
      if (!saml::parse_url(url))
        read_.fail("saml.redirect_urls", "must hold addresses like https://host[:port][/path]");
    }
  }

  static bool is_host(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) {
      return c < 128 && (std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':');
    });
  }

  std::string header_text(const std::string& path) const {
    std::string text = read_.text(path);
    const auto control = [](unsigned char c) { return c < ' ' || c == 127; };
    if (std::any_of(text.begin(), text.end(), control)) read_.fail(path, "must not hold control characters");
    return text;
  }

  LinkBase link_base(std::string_view url) const {
    constexpr std::string_view scheme = "https://";
    const auto refuse = [&] { read_.fail("email_link_url", "must be like https://host[:port][/prefix]"); };
    if (!url.starts_with(scheme)) refuse();
    url.remove_prefix(scheme.size());
    while (url.ends_with('/')) url.remove_suffix(1);
    const std::string_view authority = url.substr(0, url.find('/'));
    const auto colon = authority.find(':');
    LinkBase base;
    base.hostname = authority.substr(0, colon);
    if (colon != std::string_view::npos) base.port = authority.substr(colon + 1);
    base.prefix = url.substr(authority.size());
    const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    const auto in_path = [](unsigned char c) {
      return c < 128 &&
             (std::isalnum(c) || std::string_view("/-._~").find(static_cast<char>(c)) != std::string_view::npos);
    };
    if (base.hostname.empty() || !is_host(base.hostname) || base.port.size() > 5 ||
        (colon != std::string_view::npos && base.port.empty()) ||
        !std::all_of(base.port.begin(), base.port.end(), digit) ||
        !std::all_of(base.prefix.begin(), base.prefix.end(), in_path))
      refuse();
    return base;
  }

  void finish_tree() {
    s_.tree = Json::object();
    for (const auto& [key, value] : tree_.members()) s_.tree.set(key, value);
    if (!s_.xivo_uuid.empty()) s_.tree.set("uuid", s_.xivo_uuid);
    s_.tree.set("loaded_plugins", Json::strings(s_.backends));
  }

  const Json& tree_;
  const Reader read_;
  std::vector<std::string>& warnings_;
  Settings s_;
};

}  // namespace

Settings make_settings(const Json& tree, const std::string& xivo_uuid, std::vector<std::string>& warnings,
                       const Places& places) {
  return Maker(tree, places, warnings).make(xivo_uuid);
}

bool is_authentication_method(const Settings& settings, std::string_view method) {
  return method == "native" || method == "default" ||
         std::find(settings.idps.begin(), settings.idps.end(), method) != settings.idps.end();
}

}  // namespace wazoauth
