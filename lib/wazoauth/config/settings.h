// wazo-auth's YAML configuration: files, merge, defaults. docs/spec/config.md is the reference.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/config/external.h"
#include "wazoauth/config/ldap.h"
#include "wazoauth/config/saml.h"
#include "wazoauth/config/smtp.h"
#include "wazoauth/outgoing/address.h"

namespace wazoauth {

struct MailTemplates;

// A configuration that can't be used: what(), and where.
struct ConfigError : std::runtime_error {
  ConfigError(const std::string& what, std::string file_name, int line_number)
      : std::runtime_error(what), file(std::move(file_name)), line(line_number) {}
  std::string file;
  int line;  // 0: unknown
};

// Where a value came from: keys joined with '.', as "rest_api.cors.enabled", lead to file and line.
struct Place {
  std::string file;
  int line;
};
using Places = std::map<std::string, Place>;

struct LoadedConfig {
  Json tree;                          // effective: command line over files over defaults; as GET /config shows it
  std::vector<std::string> warnings;  // skipped files and the like, each naming file (and line)
  Places places;                      // of the values that files gave
};

// Reads the main file and its drop-ins. Unreadable or broken drop-ins and an unreadable main file are warnings, a
// broken main file is a ConfigError. `overrides`: keys that win over everything (a command line's), null for none.
// Commands of `!exec` run, 5 s each at most, for files that only root, or the user who runs this, can write.
LoadedConfig load_config(const std::string& main_file, const Json& overrides = {});

// The built-in defaults as a tree.
Json default_config();

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

// What links in mails begin with.
struct LinkBase {
  std::string hostname, port, prefix;  // port and prefix "" for none
};

// One kind of mail: how long its link works, who it is from, the files with its texts.
struct MailSettings {
  std::int64_t expiration = 172800;  // seconds
  std::string body_template, subject_template;
  std::string from_name, from_address;
};

// The tree, typed and checked. Wrong types are ConfigErrors that name the key.
struct Settings {
  Json tree;              // the whole effective configuration, with `uuid` and `loaded_plugins`
  std::string xivo_uuid;  // environment XIVO_UUID; "" when unset
  bool debug = false;
  int log_level = 20;  // 10 debug ... 50 critical
  std::string db_uri;
  std::int64_t db_connect_retry_timeout_seconds = 300;
  bool db_upgrade_on_startup = false;
  int max_threads = 25;
  int num_proxies = 1;
  std::int64_t default_token_lifetime = 7200;
  double token_cleanup_interval = 60.0;
  std::int64_t token_cleanup_batch_size = 5000;
  std::int64_t max_user_concurrent_sessions = 100;
  std::optional<std::string> default_user_policy;       // name
  std::map<std::string, std::string> backend_policies;  // backend → policy name
  std::map<std::string, std::vector<std::string>> purpose_metadata_mapping;
  bool update_policy_on_startup = true;
  std::vector<DefaultPolicy> default_policies;
  std::vector<std::pair<std::string, bool>> all_users_policies;
  std::vector<DefaultGroup> tenant_default_groups;
  bool bootstrap_user_on_startup = false;
  std::optional<std::string> bootstrap_user_username, bootstrap_user_password;
  std::string bootstrap_user_purpose = "internal";
  std::string bootstrap_user_policy_slug = "wazo_default_master_user_policy";
  std::map<std::string, bool> enabled_http_plugins;  // and "external.<type>" of each of external_types
  std::vector<std::string> external_types;           // enabled and known: google, microsoft, mobile, declared ones
  std::vector<std::string> foreign_external_types;   // enabled and not known: the Python daemon's plug-ins
  std::vector<OAuth2Service> oauth2_services;        // those of them that hand out tokens
  std::vector<StoredService> stored_services;        // those of external_auth_types that don't
  std::vector<ShownService> shown_services;          // those of external_auth_types
  bool plain_http = false;                           // environment OAUTHLIB_INSECURE_TRANSPORT: for providers nearby
  std::chrono::milliseconds external_auth_timeout{10000};  // for an answer of a provider
  std::string external_auth_ca;       // certificates (PEM) of authorities of providers and brokers; "" for the system's
  std::vector<std::string> backends;  // enabled and known, in configuration order: ldap_user, wazo_user
  std::vector<std::string> metadata_plugins;  // enabled and known
  std::vector<std::string> idps;              // enabled and known (saml, ldap), ascending priority
  ldap::LdapSettings ldap;
  OutgoingRules outgoing;
  std::string amqp_uri, amqp_exchange_name, amqp_exchange_type;
  bool amqp_exchange_durable = true;
  bool cors_enabled = true;
  std::vector<std::string> cors_allow_headers, cors_origins, cors_methods, cors_expose_headers;
  bool cors_supports_credentials = false, cors_send_wildcard = false, cors_vary_header = true;
  std::optional<std::string> cors_max_age;
  SmtpServer smtp;
  MailSettings confirmation_mail, reset_mail;
  std::string email_confirmation_get_response_body_template, email_confirmation_get_mimetype;
  std::int64_t password_reset_mails_per_hour = 5;  // for one user; 0: any number
  std::optional<LinkBase> email_link;              // none: the address of the server that was asked
  // Read where the configuration is read (read_mail_templates()), null elsewhere.
  std::shared_ptr<const MailTemplates> mail_templates;
  saml::SamlSettings saml;

  bool http_plugin(const std::string& name) const {
    auto it = enabled_http_plugins.find(name);
    return it != enabled_http_plugins.end() && it->second;
  }
};

// native, default and the identity providers that are switched on.
bool is_authentication_method(const Settings& settings, std::string_view method);

// `warnings` gets unknown plug-ins and the like. `places`, when given, lets errors name file and line.
Settings make_settings(const Json& tree, const std::string& xivo_uuid, std::vector<std::string>& warnings,
                       const Places& places = {});

// The tree as GET /config shows it: secrets masked ("********"), log_level as a number, uuid, loaded_plugins.
// `debug` and `profiling` are the values that PATCH may have changed.
Json shown_config(const Settings& settings, bool debug, bool profiling);

}  // namespace wazoauth
