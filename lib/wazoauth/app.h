// The wiring, once. An App is the authority of one process: routes, database, caches. Whoever carries HTTP makes a Call
// for each request and runs its steps on threads of the wanted lanes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/cache/token_store.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/ldap/directories.h"
#include "wazoauth/rest/http.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/store/database.h"

namespace wazoauth {

namespace external {
class Waits;
}

struct AppOptions {
  Settings settings;
  DatabaseOptions database;  // for requests
  Zone* zone = nullptr;      // null: nothing is cached (tools, tests)
  RedisCache* redis = nullptr;
};

namespace saml {
class Providers;
}

class App {
 public:
  explicit App(AppOptions options);
  ~App();

  const Settings& settings() const;
  Database& database();
  Zone* zone();
  TokenStore& tokens();
  ldap::Directories& directories();
  saml::Providers& saml();
  external::Waits& waits();  // for what external services tell
  void close_idle();         // database connections that nobody used for long; blocks a little, call it now and then
  const Router& router() const;

  // PATCH /config; kept in the zone, so that all workers of this nginx see it.
  bool debug() const;
  bool profiling() const;
  void set_debug(bool value);
  void set_profiling(bool value);

  // Tokens died in a committed transaction: forget them here at once, before anybody is told (others hear NOTIFY).
  void tokens_died(const std::vector<std::string>& deaths);

  // The uuid of the master tenant, read once; nullopt while there is none.
  std::optional<std::string> master_tenant(UnitOfWork& unit);

  // Answers that need no thread: HEAD and GET /token/{t}, POST /token/{t}/scopes/check of a token that the zone knows.
  // Never blocks. nullopt: make a Call.
  std::optional<Response> answer_from_zone(const Request& request, std::uint64_t grace_ms);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Call {
 public:
  Call(App& app, Request request, const Route* page = nullptr);  // null: by the App's router
  ~Call();
  Lane lane() const;                        // where the next step wants to run
  std::chrono::milliseconds pause() const;  // and how much later
  bool step();  // runs it, and those that follow on its lane; true when the answer is ready. Never throws.
  Response& response();
  // Judged by the next step: let it wait for its turn, or don't run it at all.
  const std::optional<Guess>& guess() const;
  enum class Judgement { none, wrong, right };
  Judgement judgement() const;  // of the guess, with the answer

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Adds the CORS headers of http-conventions.md section 11. Applies to every answer.
void add_cors(const Settings& settings, const Request& request, Response& response);

// What a start does in the database (endpoints.md section 19): default policies, all-users policies, default groups,
// orphans, bootstrap user, check of authentication methods. Serialised over all nodes by an advisory lock.
// Throws Unavailable while the database is away, std::runtime_error for what stops a start.
void seed(Database& database, const Settings& settings);

}  // namespace wazoauth
