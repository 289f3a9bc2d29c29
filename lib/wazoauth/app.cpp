#include "wazoauth/app.h"

#include <atomic>
#include <mutex>

#include "wazoauth/about/api_document.h"
#include "wazoauth/about/config_routes.h"
#include "wazoauth/about/status_routes.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/external/waits.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/ldap/routes.h"
#include "wazoauth/node/listener.h"
#include "wazoauth/policy/routes.h"
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

namespace {

// Bits of Zone::flags(): what PATCH /config changed, or nothing yet.
constexpr std::uint32_t debug_set = 1, debug_on = 2, profiling_set = 4, profiling_on = 8;

std::uint32_t with(std::uint32_t flags, std::uint32_t set, std::uint32_t on, bool value) {
  return (flags | set | on) & ~(value ? 0u : on);
}

void add_routes(Router& router, const Settings& settings) {
  add_api_document_route(router);
  add_status_routes(router);
  add_config_routes(router);
  add_token_routes(router);
  add_refresh_token_routes(router);
  add_session_routes(router);
  add_user_session_routes(router);
  add_user_routes(router);
  add_user_policy_routes(router);
  add_user_email_routes(router);
  add_policy_routes(router);
  add_tenant_routes(router);
  add_group_routes(router);
  add_group_member_routes(router);
  add_group_policy_routes(router);
  add_email_confirmation_routes(router);
  add_password_reset_routes(router);
  add_idp_routes(router);
  add_saml_config_routes(router);
  add_saml_login_routes(router);
  add_saml_logout_routes(router);
  add_external_routes(router);
  add_mobile_routes(router);
  add_ldap_config_routes(router);
  for (const OAuth2Service& service : settings.oauth2_services) add_oauth2_routes(router, service);
  for (const StoredService& service : settings.stored_services) add_stored_routes(router, service);
}

}  // namespace

struct App::State {
  explicit State(AppOptions o)
      : options(std::move(o)),
        database(options.database),
        loads(options.database.for_short_reads()),
        tokens(options.zone, loads, options.redis),
        directories(options.settings.ldap.logins_per_directory),
        saml(options.settings.saml),
        waits({&options.settings, options.database, options.zone}) {}

  AppOptions options;
  Database database;
  Database loads;  // on a miss nobody waits behind long requests
  TokenStore tokens;
  ldap::Directories directories;
  saml::Providers saml;
  external::Waits waits;
  Router router;
  std::mutex mutex;
  std::optional<std::string> master_tenant;
  std::atomic<std::uint32_t> own_flags{0};  // where there is no zone
};

App::App(AppOptions options) : state_(std::make_unique<State>(std::move(options))) {
  // Before there are threads.
  if (settings().saml.keys) saml::start_library();
  Router all;
  add_routes(all, settings());
  for (const Route& route : all.routes()) {
    if (settings().http_plugin(route.plugin)) state_->router.add(route);
  }
}

App::~App() = default;

const Settings& App::settings() const {
  return state_->options.settings;
}
Database& App::database() {
  return state_->database;
}
Zone* App::zone() {
  return state_->options.zone;
}
TokenStore& App::tokens() {
  return state_->tokens;
}
ldap::Directories& App::directories() {
  return state_->directories;
}
saml::Providers& App::saml() {
  return state_->saml;
}
external::Waits& App::waits() {
  return state_->waits;
}
void App::close_idle() {
  state_->database.close_idle();
  state_->loads.close_idle();
}
const Router& App::router() const {
  return state_->router;
}

namespace {
std::uint32_t flags_of(Zone* zone, const std::atomic<std::uint32_t>& own) {
  return zone ? zone->flags() : own.load();
}
}  // namespace

bool App::debug() const {
  const std::uint32_t flags = flags_of(state_->options.zone, state_->own_flags);
  return flags & debug_set ? (flags & debug_on) != 0 : settings().debug;
}

bool App::profiling() const {
  const std::uint32_t flags = flags_of(state_->options.zone, state_->own_flags);
  const Json configured = settings().tree.get("profiling_enabled");
  return flags & profiling_set ? (flags & profiling_on) != 0 : configured.is_boolean() && configured.boolean();
}

void App::set_debug(bool value) {
  const std::uint32_t flags = with(flags_of(zone(), state_->own_flags), debug_set, debug_on, value);
  zone() ? zone()->set_flags(flags) : state_->own_flags.store(flags);
}

void App::set_profiling(bool value) {
  const std::uint32_t flags = with(flags_of(zone(), state_->own_flags), profiling_set, profiling_on, value);
  zone() ? zone()->set_flags(flags) : state_->own_flags.store(flags);
}

void App::tokens_died(const std::vector<std::string>& deaths) {
  if (!zone() || deaths.empty()) return;
  std::string items;
  for (const std::string& item : deaths) items += item + ",";
  apply_news(*zone(), parse_news(items));
}

std::optional<std::string> App::master_tenant(UnitOfWork& unit) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->master_tenant) return state_->master_tenant;
  }
  const Rows rows = unit.run("context.master_tenant");
  if (rows.empty()) return std::nullopt;
  const std::lock_guard lock(state_->mutex);
  state_->master_tenant = rows.text(0, "uuid");
  return state_->master_tenant;
}

std::optional<Response> App::answer_from_zone(const Request& request, std::uint64_t grace_ms) {
  if (!zone() || !settings().http_plugin("tokens")) return std::nullopt;
  auto response = wazoauth::answer_from_zone(*zone(), settings(), static_cast<std::int64_t>(grace_ms), request);
  if (response) add_cors(settings(), request, *response);
  return response;
}

}  // namespace wazoauth
