// wazo-auth's YAML configuration with types. docs/spec/config.md is the reference.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/amqp_uri.h"
#include "wazoauth/base/json.h"
#include "wazoauth/config/external.h"
#include "wazoauth/config/ldap.h"
#include "wazoauth/config/mail.h"
#include "wazoauth/config/saml.h"
#include "wazoauth/config/source.h"
#include "wazoauth/config/syslog.h"
#include "wazoauth/outgoing/address.h"

namespace wazoauth {

struct MailTemplates;

struct DefaultPolicy {
  std::string slug;
  std::string description;
  std::vector<std::string> acl;
  bool shared = false;
};
struct DefaultGroup {
  std::string slug;
  std::vector<std::pair<std::string, bool>> policies;  // slug → attached
};

// The tree, typed and checked. Wrong types are ConfigErrors that name the key. docs/spec/config.md section 2 says what
// each key means; the values here are those of a Settings that no configuration has filled.
struct Settings {
  Json tree;              // the whole effective configuration, with `uuid` and `loaded_plugins`
  std::string xivo_uuid;  // environment XIVO_UUID; "" when unset

  // The process.
  bool debug = false;
  int log_level = 20;  // 10 debug ... 50 critical
  std::string db_uri;  // libpq's connection string or URI
  std::int64_t db_connect_retry_timeout_seconds = 300;
  bool db_upgrade_on_startup = false;
  int max_threads = 25;
  int num_proxies = 1;  // whose X-Forwarded-For counts

  // Tokens.
  std::int64_t default_token_lifetime = 7200;    // seconds
  double token_cleanup_interval = 60.0;          // seconds
  std::int64_t token_cleanup_batch_size = 5000;  // rows
  std::int64_t max_user_concurrent_sessions = 100;
  std::chrono::minutes login_memory{0};                 // for which a password that was proved is remembered; 0: never
  std::optional<std::string> default_user_policy;       // name
  std::map<std::string, std::string> backend_policies;  // backend → policy name
  std::map<std::string, std::vector<std::string>> purpose_metadata_mapping;  // purpose → metadata plug-ins

  // The audit log.
  bool audit = true;
  std::int64_t audit_retention_days = 365;
  std::string audit_file;     // "" for none
  SyslogServer audit_syslog;  // not beside a file

  // The first contents of the database.
  bool update_policy_on_startup = true;
  std::vector<DefaultPolicy> default_policies;
  std::vector<std::pair<std::string, bool>> all_users_policies;  // slug → attached
  std::vector<DefaultGroup> tenant_default_groups;
  bool bootstrap_user_on_startup = false;
  std::optional<std::string> bootstrap_user_username, bootstrap_user_password;
  std::string bootstrap_user_purpose = "internal";
  std::string bootstrap_user_policy_slug = "wazo_default_master_user_policy";

  // Plug-ins: those that are enabled and known.
  std::map<std::string, bool> enabled_http_plugins;  // and "external.<type>" of each of external.types
  std::vector<std::string> backends;                 // in configuration order: ldap_user, wazo_user
  std::vector<std::string> metadata_plugins;
  std::vector<std::string> idps;  // saml, ldap; ascending priority

  // Other servers.
  ExternalSettings external;
  ldap::LdapSettings ldap;
  saml::SamlSettings saml;
  OutgoingRules outgoing;
  std::vector<AmqpServer> amqp_servers;
  std::string amqp_exchange_name, amqp_exchange_type;
  bool amqp_exchange_durable = true;
  bool external_config_events = false;
  std::int64_t session_event_lifetime = 7 * 86400;  // seconds; 0: for ever
  MailSettings mail;
  // Read where the configuration is read (read_mail_templates()), null elsewhere.
  std::shared_ptr<const MailTemplates> mail_templates;

  // rest_api.cors: the options of Flask-CORS.
  bool cors_enabled = true;
  std::vector<std::string> cors_allow_headers, cors_origins, cors_methods, cors_expose_headers;
  bool cors_supports_credentials = false, cors_send_wildcard = false, cors_vary_header = true;
  std::optional<std::string> cors_max_age;  // seconds, as the header has them

  bool http_plugin(const std::string& name) const {
    auto it = enabled_http_plugins.find(name);
    return it != enabled_http_plugins.end() && it->second;
  }
};

// native, default and the identity providers that are switched on.
bool is_authentication_method(const Settings& settings, std::string_view method);

// `xivo_uuid`: the environment's XIVO_UUID. `warnings` gets unknown plug-ins and the like. `places`, when given, lets
// errors name file and line. Throws ConfigError.
Settings make_settings(const Json& tree, const std::string& xivo_uuid, std::vector<std::string>& warnings,
                       const SourceLines& places = {});

}  // namespace wazoauth
