#include "wazoauth/config/defaults.h"

#include "wazoauth/config/yaml.h"

namespace wazoauth {
namespace {

// Section 2 of docs/spec/config.md: what holds when no file says anything.
constexpr char defaults[] = R"yaml(
user: wazo-auth
config_file: /etc/wazo-auth/config.yml
extra_config_files: /etc/wazo-auth/conf.d
debug: false
log_level: info
log_filename: /var/log/wazo-auth.log
profiling_enabled: false

db_uri: postgresql://asterisk:proformatique@localhost/asterisk
db_connect_retry_timeout_seconds: 300
db_upgrade_on_startup: false

default_token_lifetime: 7200
login_memory: 0
token_cleanup_interval: 60.0
token_cleanup_batch_size: 5000
max_user_concurrent_sessions: 100
backend_policies: {}
purpose_metadata_mapping: {user: [], internal: [], external_api: []}

audit: {enabled: true, retention_days: 365, file: null, syslog: null}

update_policy_on_startup: true
default_policies: {}
all_users_policies: {}
tenant_default_groups: {}
bootstrap_user_on_startup: false
bootstrap_user_username: null
bootstrap_user_password: null

rest_api:
  listen: 127.0.0.1
  port: 9497
  max_threads: 25
  num_proxies: 1
  certificate: null
  private_key: null
  cors:
    enabled: true
    allow_headers: [Content-Type, Authorization, X-Auth-Token, Wazo-Tenant, Wazo-Session-Type]

enabled_http_plugins:
  access: true
  api: true
  audit: true
  idp: true
  backends: true
  config: true
  email_confirm: true
  external: true
  group_policy: true
  groups: true
  ldap_config: true
  locks: true
  metrics: false
  password_reset: true
  policies: true
  sessions: true
  status: true
  tenants: true
  tokens: true
  user_email: true
  user_group: true
  user_policy: true
  user_registration: false
  user_session: true
  users: true
  saml: true
  saml_config: true
enabled_backend_plugins: {ldap_user: true, wazo_user: true}
enabled_metadata_plugins: {default_user: true, default_internal: true, default_external_api: true}
enabled_external_auth_plugins: {google: true, microsoft: true, mobile: true}
idp_plugins:
  saml: {enabled: true, priority: 1}
  ldap: {enabled: true, priority: 2}

ldap: {network_timeout: 2, operation_timeout: 2, login_timeout: 8, logins_per_directory: 16, ca_file: null}
outgoing: {loopback: true}

email_notification_plugin: smtp
smtp: {hostname: localhost, port: 25}
email_confirmation_expiration: 172800
email_confirmation_template: /var/lib/wazo-auth/templates/email_confirmation.jinja
email_confirmation_subject_template: /var/lib/wazo-auth/templates/email_confirmation_subject.jinja
email_confirmation_from_name: wazo-auth
email_confirmation_from_address: noreply@wazo.community
email_confirmation_get_response_body_template: /var/lib/wazo-auth/templates/email_confirmation_get_body.jinja
email_confirmation_get_mimetype: text/html
password_reset_expiration: 172800
password_reset_from_name: wazo-auth
password_reset_from_address: noreply@wazo.community
password_reset_email_template: /var/lib/wazo-auth/templates/password_reset_email.jinja
password_reset_email_subject_template: /var/lib/wazo-auth/templates/password_reset_email_subject.jinja
password_reset_mails_per_hour: 5

oauth2_synchronization_ws_url_template: 'wss://oauth.wazo.io/ws/{state}'
oauth2_synchronization_redirect_url_template: 'https://oauth.wazo.io/{auth_type}/authorize'

saml:
  acs_url_template: 'https://{{STACK_URL}}/api/auth/0.1/saml/acs'
  saml_session_lifetime_seconds: 604800
  saml_login_timeout_seconds: 600
  key_file: /var/lib/wazo-auth/saml/server.key
  cert_file: /var/lib/wazo-auth/saml/server.crt
  clock_skew_seconds: 60
  allow_sha1: false
  redirect_urls: []
  xmlsec_binary: /usr/bin/xmlsec1
  xml_files_dir: /var/lib/wazo-auth/saml/
  domains: {}

amqp: {uri: 'amqp://guest:guest@localhost:5672/', exchange_name: xivo, exchange_type: topic}
consul: {scheme: http, port: 8500}
service_discovery:
  enabled: false
  advertise_address: auto
  advertise_address_interface: eth0
  advertise_port: 9497
  ttl_interval: 30
  refresh_interval: 27
  retry_interval: 2
  extra_tags: []
)yaml";

}  // namespace

const Json& default_config() {
  static const Json tree = parse_yaml(defaults, "built-in defaults").value;
  return tree;
}

}  // namespace wazoauth
