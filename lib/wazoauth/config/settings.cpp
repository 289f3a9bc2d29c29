#include "wazoauth/config/settings.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/url.h"
#include "wazoauth/config/reader.h"

namespace wazoauth {
namespace {

const KnownNames http_plugins{"api",           "idp",        "backends",       "config",
                              "email_confirm", "external",   "group_policy",   "groups",
                              "ldap_config",   "locks",      "password_reset", "policies",
                              "sessions",      "status",     "tenants",        "tokens",
                              "user_email",    "user_group", "user_policy",    "user_registration",
                              "user_session",  "users",      "saml",           "saml_config",
                              "access",        "audit",      "metrics"};
// The last two grant no login; configurations of the Python daemon may name them.
const KnownNames backend_plugins{"ldap_user", "wazo_user", "broken_init", "broken_verify_password"};
const KnownNames metadata_plugins{"default_user", "default_internal", "default_external_api", "user_admin_status"};
const KnownNames idp_plugins{"saml", "ldap"};
const KnownNames purposes{"user", "internal", "external_api"};

constexpr std::int64_t hundred_years = 100LL * 366 * 86400;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// -- the process ----------------------------------------------------------------------------------------------------

int read_log_level(const ConfigReader& config) {
  const std::string name = ascii::lower(config.text("log_level"));
  static const std::map<std::string, int> levels{
      {"debug", 10}, {"info", 20}, {"warning", 30}, {"error", 40}, {"critical", 50}};
  if (name.empty()) return levels.at("info");
  const auto level = levels.find(name);
  if (level == levels.end()) config.fail("log_level", "must be one of critical, error, warning, info, debug");
  return level->second;
}

void read_process(const ConfigReader& config, const std::string& xivo_uuid, Settings& s) {
  s.xivo_uuid = xivo_uuid;
  s.debug = config.flag("debug", false);
  s.log_level = read_log_level(config);
  s.db_uri = config.text("db_uri");
  s.db_connect_retry_timeout_seconds = config.integer("db_connect_retry_timeout_seconds", 0);
  s.db_upgrade_on_startup = config.flag("db_upgrade_on_startup", false);
  s.max_threads = static_cast<int>(config.integer("rest_api.max_threads", 1, 10000));
  s.num_proxies = static_cast<int>(config.integer("rest_api.num_proxies", 0, 10000));
}

void read_tokens(const ConfigReader& config, Settings& s) {
  s.default_token_lifetime = config.integer("default_token_lifetime", 1);
  s.token_cleanup_interval = config.number("token_cleanup_interval");
  s.token_cleanup_batch_size = config.integer("token_cleanup_batch_size", 1);
  s.max_user_concurrent_sessions = config.integer("max_user_concurrent_sessions", 0);
  s.login_memory = std::chrono::minutes(config.integer("login_memory", 0, 1440));
  s.default_user_policy = config.optional_text("default_user_policy");
  for (const auto& [backend, policy] : config.members("backend_policies")) {
    if (policy.is_null()) continue;
    if (!policy.is_string()) config.fail("backend_policies." + backend, "must be a policy's name");
    s.backend_policies[backend] = policy.text();
  }
}

void read_audit(const ConfigReader& config, Settings& s) {
  s.audit = config.flag("audit.enabled", true);
  s.audit_retention_days = config.integer("audit.retention_days", 1, 36500);
  s.audit_file = config.optional_text("audit.file").value_or("");
  if (!s.audit_file.empty() && s.audit_file.front() != '/') config.fail("audit.file", "must be an absolute path");
  const std::string syslog = config.optional_text("audit.syslog").value_or("");
  if (syslog.empty()) return;
  if (!s.audit_file.empty())
    config.fail("audit.syslog", "is an alternative to audit.file: only one of them may be set");
  try {
    s.audit_syslog = parse_syslog_server(syslog);
  } catch (const std::invalid_argument& e) {
    config.fail("audit.syslog", e.what());
  }
}

// -- the first contents of the database -----------------------------------------------------------------------------

DefaultPolicy read_policy(const ConfigReader& config, const std::string& slug, const Json& entry) {
  const std::string path = "default_policies." + slug;
  config.members(path, entry);
  if (!entry.has("acl")) config.fail(path, "needs an \"acl\"");
  const Json& description = entry.get("description");
  if (!description.is_null() && !description.is_string()) config.fail(path + ".description", "must be a text");
  return {slug, entry.text_or("description", "Automatically created"), config.texts(path + ".acl", entry.get("acl")),
          !entry.get("shared").is_falsy()};
}

void read_seeding(const ConfigReader& config, Settings& s) {
  s.update_policy_on_startup = config.flag("update_policy_on_startup", true);
  for (const auto& [slug, entry] : config.members("default_policies"))
    s.default_policies.push_back(read_policy(config, slug, entry));
  s.all_users_policies = config.switches("all_users_policies", config.value("all_users_policies"));
  for (const auto& [slug, entry] : config.members("tenant_default_groups")) {
    const std::string path = "tenant_default_groups." + slug;
    config.members(path, entry);
    s.tenant_default_groups.push_back({slug, config.switches(path + ".policies", entry.get("policies"))});
  }
  s.bootstrap_user_on_startup = config.flag("bootstrap_user_on_startup", false);
  s.bootstrap_user_username = config.optional_text("bootstrap_user_username");
  s.bootstrap_user_password = config.optional_text("bootstrap_user_password");
  s.bootstrap_user_purpose = config.text("bootstrap_user_purpose", s.bootstrap_user_purpose);
  s.bootstrap_user_policy_slug = config.text("bootstrap_user_policy_slug", s.bootstrap_user_policy_slug);
}

// -- plug-ins -------------------------------------------------------------------------------------------------------

// By ascending priority; those of the same one in the order of the configuration.
std::vector<std::string> read_identity_providers(const ConfigReader& config, const std::vector<std::string>& backends) {
  std::vector<std::pair<double, std::string>> found;
  for (const auto& [name, entry] : config.members("idp_plugins")) {
    const std::string path = "idp_plugins." + name;
    config.members(path, entry);
    if (entry.get("enabled").is_falsy()) continue;
    if (!contains(idp_plugins, name)) {
      config.warn("idp_plugins: \"" + name + "\" is not known and skipped");
      continue;
    }
    if (name == "ldap" && !has(backends, "ldap_user")) {
      config.warn("idp_plugins: \"ldap\" needs enabled_backend_plugins.ldap_user and is skipped");
      continue;
    }
    const Json priority = entry.has("priority") ? entry.get("priority") : Json(100);
    if (!priority.is_number()) config.fail(path + ".priority", "must be a number");
    found.emplace_back(priority.number(), name);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [priority, name] : found) names.push_back(std::move(name));
  return names;
}

void read_metadata_of_purposes(const ConfigReader& config, Settings& s) {
  const std::string section = "purpose_metadata_mapping";
  for (const auto& [purpose, list] : config.members(section)) {
    if (!contains(purposes, purpose)) {
      config.warn(section + ": \"" + purpose + "\" is no purpose");
      continue;
    }
    auto& plugins = s.purpose_metadata_mapping[purpose];
    if (list.is_null()) continue;
    for (auto& name : config.texts(section + "." + purpose, list)) {
      if (has(s.metadata_plugins, name)) {
        plugins.push_back(std::move(name));
      } else {
        config.warn(section + "." + purpose + ": \"" + name + "\" is not enabled or not known, and skipped");
      }
    }
  }
}

void read_plugins(const ConfigReader& config, Settings& s) {
  for (const auto& name : config.enabled("enabled_http_plugins", http_plugins)) s.enabled_http_plugins[name] = true;
  s.backends = config.enabled("enabled_backend_plugins", backend_plugins);
  s.metadata_plugins = config.enabled("enabled_metadata_plugins", metadata_plugins);
  s.external = read_external(config);
  for (const auto& type : s.external.types) s.enabled_http_plugins["external." + type] = true;
  s.idps = read_identity_providers(config, s.backends);
  read_metadata_of_purposes(config, s);
  if (config.text("email_notification_plugin") != "smtp")
    config.warn("email_notification_plugin: only \"smtp\" is known");
}

// -- what is outside ------------------------------------------------------------------------------------------------

void read_directories(const ConfigReader& config, ldap::LdapSettings& ldap) {
  ldap.limits.network = config.seconds("ldap.network_timeout", ldap.limits.network);
  ldap.limits.operation = config.seconds("ldap.operation_timeout", ldap.limits.operation);
  ldap.limits.login = config.seconds("ldap.login_timeout", ldap.limits.login);
  ldap.ca_file = config.text("ldap.ca_file");
  ldap.logins_per_directory = static_cast<std::size_t>(config.integer("ldap.logins_per_directory", 1, 1000));
}

void read_bus(const ConfigReader& config, Settings& s) {
  try {
    s.amqp_servers = parse_amqp_uris(config.text("amqp.uri"));
  } catch (const std::invalid_argument& e) {
    config.fail("amqp.uri", std::string("isn't a URI like amqp://user:password@host:port/vhost: ") + e.what());
  }
  if (const auto file = config.optional_text("amqp.ca_file")) {
    for (AmqpServer& server : s.amqp_servers) {
      if (server.ca_file.empty()) server.ca_file = *file;
    }
  }
  if (!config.value("amqp.session_event_lifetime").is_null())
    s.session_event_lifetime = config.integer("amqp.session_event_lifetime", 0, hundred_years);
  s.external_config_events = config.flag("amqp.external_config_events", false);
  s.amqp_exchange_name = config.text("amqp.exchange_name");
  s.amqp_exchange_type = config.text("amqp.exchange_type");
  s.amqp_exchange_durable = config.flag("amqp.exchange_durable", true);
}

void read_cors(const ConfigReader& config, Settings& s) {
  s.cors_enabled = config.flag("rest_api.cors.enabled", true);
  s.cors_allow_headers = config.text_or_texts("rest_api.cors.allow_headers", {"*"});
  s.cors_origins = config.text_or_texts("rest_api.cors.origins", {"*"});
  s.cors_methods =
      config.text_or_texts("rest_api.cors.methods", {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"});
  s.cors_expose_headers = config.text_or_texts("rest_api.cors.expose_headers", {});
  s.cors_supports_credentials = config.flag("rest_api.cors.supports_credentials", false);
  s.cors_send_wildcard = config.flag("rest_api.cors.send_wildcard", false);
  s.cors_vary_header = config.flag("rest_api.cors.vary_header", true);
  const Json& max_age = config.value("rest_api.cors.max_age");
  if (max_age.is_integer()) {
    s.cors_max_age = std::to_string(max_age.integer());
  } else {
    s.cors_max_age = config.optional_text("rest_api.cors.max_age");
  }
}

void read_saml(const ConfigReader& config, saml::SamlSettings& saml) {
  saml.acs_url_template = config.text("saml.acs_url_template");
  saml.key_file = config.text("saml.key_file");
  saml.cert_file = config.text("saml.cert_file");
  saml.session_lifetime = config.integer("saml.saml_session_lifetime_seconds", 60, hundred_years);
  saml.rules.clock_skew = config.integer("saml.clock_skew_seconds", 0, 600);
  saml.rules.allow_sha1 = config.flag("saml.allow_sha1", false);
  const Json& urls = config.value("saml.redirect_urls");
  if (!urls.is_null()) saml.redirect_urls = config.texts("saml.redirect_urls", urls);
  for (const std::string& url : saml.redirect_urls) {
    if (!parse_url(url)) config.fail("saml.redirect_urls", "must hold addresses like https://host[:port][/path]");
  }
}

Json finished_tree(const Json& tree, const Settings& s) {
  Json finished = tree;
  if (!s.xivo_uuid.empty()) finished.set("uuid", s.xivo_uuid);
  finished.set("loaded_plugins", Json::strings(s.backends));
  return finished;
}

}  // namespace

Settings make_settings(const Json& tree, const std::string& xivo_uuid, std::vector<std::string>& warnings,
                       const SourceLines& places) {
  const ConfigReader config(tree, places, warnings);
  Settings settings;
  read_process(config, xivo_uuid, settings);
  read_tokens(config, settings);
  read_audit(config, settings);
  read_seeding(config, settings);
  read_plugins(config, settings);
  read_directories(config, settings.ldap);
  settings.outgoing.loopback = config.flag("outgoing.loopback", true);
  read_bus(config, settings);
  read_cors(config, settings);
  settings.mail = read_mail(config);
  read_saml(config, settings.saml);
  settings.tree = finished_tree(tree, settings);
  return settings;
}

bool is_authentication_method(const Settings& settings, std::string_view method) {
  return method == "native" || method == "default" ||
         std::find(settings.idps.begin(), settings.idps.end(), method) != settings.idps.end();
}

}  // namespace wazoauth
