#include "wazoauth/app.h"

#include "wazoauth/about/api_document.h"
#include "wazoauth/about/config_routes.h"
#include "wazoauth/about/status_routes.h"
#include "wazoauth/access/routes.h"
#include "wazoauth/audit/routes.h"
#include "wazoauth/external/landing_page.h"
#include "wazoauth/external/pending_authorizations.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/ldap/directories.h"
#include "wazoauth/ldap/routes.h"
#include "wazoauth/lock/routes.h"
#include "wazoauth/login/identity_providers.h"
#include "wazoauth/login/try_directory.h"
#include "wazoauth/mail/try_smtp.h"
#include "wazoauth/policy/routes.h"
#include "wazoauth/rest/cors.h"
#include "wazoauth/rest/master_tenant.h"
#include "wazoauth/saml/providers.h"
#include "wazoauth/saml/routes.h"
#include "wazoauth/session/routes.h"
#include "wazoauth/tenant/routes.h"
#include "wazoauth/token/from_zone.h"
#include "wazoauth/token/routes.h"
#include "wazoauth/user/mail_routes.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_idps.h"

namespace wazoauth {

struct App::State {
  explicit State(AppOptions o)
      : options(std::move(o)),
        database(options.database),
        loads(options.database.for_short_reads()),
        tokens(options.zone, loads, options.redis, options.address_locks),
        services{options.settings, database, tokens, options.address_locks, options.zone, master_tenant},
        runtime_config(options.settings, node()),
        directories(options.settings.ldap.logins_per_directory),
        identity_providers(directories, options.settings.login_memory),
        saml(options.settings.saml),
        pending({&options.settings, &database, node()}),
        landing_page(wazoauth::landing_page(pending.completion())) {}

  NodeState* node() { return options.zone ? &options.zone->node() : nullptr; }

  Health health() const {
    const Meters* const meters = options.database.meters;
    if (!options.zone || !meters) return {};
    return health_of(options.zone->node(), *meters, BootClock::now());
  }

  void add_routes(Router& all) {
    add_api_document_route(all, router);
    add_status_routes(all, [this] { return health_body(health()); });
    add_node_route(all, [this] { return options.node ? options.node() : NodeReport(); });
    add_config_routes(all, runtime_config);
    add_token_routes(all, identity_providers);
    add_refresh_token_routes(all);
    add_lock_routes(all);
    add_session_routes(all);
    add_user_session_routes(all);
    add_user_routes(all);
    add_user_import_routes(all);
    add_user_policy_routes(all);
    add_user_email_routes(all);
    add_policy_routes(all);
    add_tenant_routes(all);
    add_group_routes(all);
    add_group_member_routes(all);
    add_group_policy_routes(all);
    add_email_confirmation_routes(all);
    add_password_reset_routes(all);
    add_idp_routes(all);
    add_saml_config_routes(all);
    add_saml_try_route(all);
    add_saml_login_routes(all, saml);
    add_saml_logout_routes(all, saml);
    add_external_routes(all);
    add_mobile_routes(all);
    add_ldap_config_routes(all);
    add_ldap_try_route(all, directories);
    add_smtp_try_route(all);
    add_access_routes(all, options.documents);
    add_audit_routes(all);
    for (const OAuth2Service& service : options.settings.external.oauth2_services)
      add_oauth2_routes(all, service, pending);
    for (const StoredService& service : options.settings.external.stored_services)
      add_stored_routes(all, service, pending);
  }

  AppOptions options;
  Database database;
  Database loads;  // by one connection: a miss doesn't wait behind long requests
  TokenStore tokens;
  MasterTenant master_tenant;
  Services services;
  RuntimeConfig runtime_config;
  ldap::Directories directories;
  IdentityProviders identity_providers;
  saml::Providers saml;
  external::PendingAuthorizations pending;
  Route landing_page;
  Router router;
};

App::App(AppOptions options) : state_(std::make_unique<State>(std::move(options))) {
  // Before there are threads.
  if (settings().saml.keys) saml::start_library();
  Router all;
  state_->add_routes(all);
  for (const Route& route : all.routes()) {
    if (settings().http_plugin(route.plugin)) state_->router.add(route);
  }
}

App::~App() = default;

const Settings& App::settings() const {
  return state_->options.settings;
}
const Services& App::services() const {
  return state_->services;
}
const Router& App::router() const {
  return state_->router;
}
const Route& App::landing_page() const {
  return state_->landing_page;
}
TokenStore& App::tokens() {
  return state_->tokens;
}
RuntimeConfig& App::runtime_config() {
  return state_->runtime_config;
}
external::PendingAuthorizations& App::pending_authorizations() {
  return state_->pending;
}
const DatabaseOptions& App::database_options() const {
  return state_->options.database;
}
Database& App::short_reads() {
  return state_->loads;
}
PoolUsage App::database_usage() const {
  const PoolUsage requests = state_->database.usage(), loads = state_->loads.usage();
  return {requests.open + loads.open, requests.in_use + loads.in_use, requests.most + loads.most};
}
void App::limit_connections(int connections) {
  state_->database.limit(connections);
}
void App::close_idle() {
  state_->database.close_idle();
  state_->loads.close_idle();
}

Health App::health() const {
  return state_->health();
}

std::optional<Response> App::answer_from_memory(const Request& request) {
  if (request.method != "GET" || request.path != "/0.1/status" || !settings().http_plugin("status"))
    return std::nullopt;
  Response response = Response::json(health_body(health()));
  add_cors(settings(), request, response);
  return response;
}

std::optional<Response> App::answer_from_zone(const Request& request, std::uint64_t grace_ms) {
  const Zone* zone = state_->options.zone;
  if (!zone || !settings().http_plugin("tokens")) return std::nullopt;
  auto response = wazoauth::answer_from_zone(*zone, state_->options.address_locks, settings(),
                                             static_cast<std::int64_t>(grace_ms), request);
  if (response) add_cors(settings(), request, *response);
  return response;
}

}  // namespace wazoauth
