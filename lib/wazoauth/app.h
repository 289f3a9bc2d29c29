// The wiring, once: makes the parts of one process's authority and hands them to their routes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "wazoauth/about/health.h"
#include "wazoauth/about/node_routes.h"
#include "wazoauth/about/runtime_config.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/token_store.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/rest/services.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

namespace external {
class PendingAuthorizations;
}
namespace openapi {
class RouteTable;
}

struct AppOptions {
  Settings settings;
  DatabaseOptions database;               // for requests
  Zone* zone = nullptr;                   // null: nothing is cached (tools, tests)
  AddressLocks* address_locks = nullptr;  // null: none is known
  RedisCache* redis = nullptr;
  std::vector<const openapi::RouteTable*> documents;  // of the daemons that this nginx gates
  std::function<NodeReport()> node;                   // any thread calls it; null: nothing is known
};

class App {
 public:
  explicit App(AppOptions options);
  ~App();

  const Settings& settings() const;
  const Services& services() const;
  const Router& router() const;
  const Route& landing_page() const;  // of wazo_auth_oauth2
  TokenStore& tokens();
  RuntimeConfig& runtime_config();
  external::PendingAuthorizations& pending_authorizations();

  const DatabaseOptions& database_options() const;
  Database& short_reads();                  // by one connection, for what requests of others wait for
  PoolUsage database_usage() const;         // of both
  void limit_connections(int connections);  // from now on
  void close_idle();  // database connections that were idle for long; blocks a little, call it now and then

  Health health() const;
  // GET /status: whatever hangs, this doesn't. nullopt: it is another request.
  std::optional<Response> answer_from_memory(const Request& request);
  // Answers that need no thread: HEAD and GET /token/{t}, POST /token/{t}/scopes/check of a token that the zone knows.
  // Never blocks. nullopt: make a Call.
  std::optional<Response> answer_from_zone(const Request& request, std::uint64_t grace_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
