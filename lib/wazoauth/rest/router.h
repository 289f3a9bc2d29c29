// Routes, declared once each, and the context in which a handler runs.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/rest/form_data.h"
#include "wazoauth/rest/http.h"
#include "wazoauth/rest/problem.h"
#include "wazoauth/rest/schema.h"
#include "wazoauth/store/database.h"

namespace wazoauth {

class App;
struct Settings;
class Context;

enum class Lane {
  database,   // short work that talks to PostgreSQL
  hashing,    // password hashing: 60-100 ms of CPU, no database connection held
  mail,       // waits for the mail server, within a limit; no database connection held
  directory,  // waits for the LDAP server of a tenant, likewise
  external,   // the same for external services
};

// A secret that a step judges: whom it is tried for, "" when the request names nobody, and what tells this try from
// others. Guessing is slowed down.
struct Guess {
  std::string login, fingerprint;
};

// What a handler ends with: an answer, or what to do next and where. Each step has a unit of work of its own, committed
// when the step returns and rolled back when it throws; no connection is held between steps.
//
// Nothing comes between steps of one lane: they are done in one go. A step of another lane may never come: when the
// client has left, and when that lane is full. So what belongs together stays on a lane.
struct Step {
  std::optional<Response> response;
  Lane lane = Lane::database;
  std::chrono::milliseconds pause{0};
  std::optional<Guess> guess;  // judged by the next step, which may have to wait for that, or never come
  std::function<Step(Context&)> next;

  Step(Response r) : response(std::move(r)) {}  // NOLINT: a handler just returns its response
  static Step then(Lane lane, std::function<Step(Context&)> next) {
    Step step;
    step.lane = lane;
    step.next = std::move(next);
    return step;
  }
  static Step judge(Guess guess, Lane lane, std::function<Step(Context&)> next) {
    Step step = then(lane, std::move(next));
    step.guess = std::move(guess);
    return step;
  }
  // Later, on the database's lane; no thread waits for it.
  static Step after(std::chrono::milliseconds pause, std::function<Step(Context&)> next) {
    Step step = then(Lane::database, std::move(next));
    step.pause = pause;
    return step;
  }

 private:
  Step() = default;
};

using Handler = std::function<Step(Context&)>;

// What a person who came with a browser is shown in place of a problem in JSON; nullopt for programs.
using ProblemPage = std::optional<Response> (*)(const Request&, const Problem&);

// Forms of error bodies: http-conventions.md section 6.
enum class Form { a, r, m };

struct Failure {
  int status;
  Form form;
  std::string reason;  // the error_id, or the text of the other forms
};

enum class Tenancy {
  none,
  caller,  // what the caller's own tenant and its subtree hold; Wazo-Tenant plays no role
  scoped,  // what Context::tenant() and, mostly, its subtree hold
  master,  // the token must belong to the master tenant (GET and PATCH /config)
};

// One operation. What it is given and answers is declared here once: routing, validation (Context::valid_body() and
// list_query()) and the API document all come from it.
struct Route {
  std::string method;
  std::string path;    // "/users/<user_uuid>/policies/<policy_slug>"; <..._uuid> matches a UUID, others one segment
  std::string access;  // template "auth.users.{user_uuid}.read"; "" for public
  std::string plugin;  // key of Settings::enabled_http_plugins
  Handler handler;
  Mode mode = Mode::write;  // read_only for handlers that write nothing
  Tenancy tenancy = Tenancy::none;
  std::string summary;
  std::shared_ptr<const BodySpec> body;   // null: takes none
  std::shared_ptr<const ListSpec> list;   // null: takes no parameters of a list
  std::shared_ptr<const BodySpec> query;  // texts of the query that are checked; null: none
  std::vector<std::string> parameters;    // further ones of the query, free texts
  std::optional<Field> answer;            // of success
  int status = 0;                         // of success; 0: 200 with an answer, 204 without
  std::string produces;                   // media type of an answer that isn't JSON
  std::vector<Failure> failures;          // beside those that follow from the rest
  bool query_token = false;               // the query's "token" comes before the header: for links that people follow
  bool query_access = false;   // what the access has in braces is a parameter of the query; "None" without it
  ProblemPage page = nullptr;  // browsers get HTML, answers and problems alike, where programs get JSON
  Schema list_schema{};        // made by Router::add
};

// For Route::body, ::list and ::answer.
std::shared_ptr<const BodySpec> takes(Schema schema, Report report, std::string resource = {});
std::shared_ptr<const BodySpec> takes_form(Schema schema, Report report, std::string resource,
                                           std::vector<std::string> files = {});
std::shared_ptr<const BodySpec> takes_any();  // any JSON value: Context::body()
std::shared_ptr<const ListSpec> listed(ListSpec spec);
Field page_of(const std::shared_ptr<const Schema>& item);  // {"filtered", "total", "items"}

using PathParameters = std::vector<std::pair<std::string, std::string>>;  // uuids in lower case, texts decoded

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  void add(Route route);
  struct Match {
    const Route* route = nullptr;  // null: see below
    PathParameters parameters;
    std::vector<std::string> allowed;        // methods of the path; empty: unknown path
    std::optional<std::string> redirect_to;  // the path with slashes merged, when it has repeated ones and exists
  };
  // `path` is raw and begins with "/0.1".
  Match match(std::string_view method, std::string_view path) const;
  const std::vector<Route>& routes() const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

// One request on its way through a handler.
class Context {
 public:
  Context(App& app, const Request& request, const Route& route, PathParameters parameters);
  ~Context();

  App& app;
  const Request& request;
  const Route& route;
  const Settings& settings;

  const std::string& param(std::string_view name) const;
  UnitOfWork& db();

  // The token that made the request (protected routes only).
  const std::string& token_id() const;
  const TokenRecord& token() const;
  // Takes the token that the request brings. Throws 503.
  enum class Admission { granted, unknown, insufficient };
  Admission admit(const std::string& access);
  bool granted(std::string_view access) const;  // by the token's list
  bool may_add(std::string_view access) const;
  bool may_remove(std::string_view access) const;
  [[noreturn]] void refuse_access(std::string_view access) const;  // 401 of section 7.1, "may not put/remove"

  // The scoping tenant (http-conventions.md section 8), resolved at the first call: 401 unauthorized-tenant, 404.
  const std::string& tenant();
  bool in_subtree(std::string_view tenant_uuid);  // of tenant()
  const std::string& master_tenant();             // throws 503 when there is none

  // The body as JSON: throws 400 M-form. `body_object` also turns falsy top-level values into {}.
  Json body() const;
  Json body_object() const;
  // The body, or the list's parameters, as the route declares them: throws its 400.
  Json valid_body() const { return valid_body(body_object()); }
  Json valid_body(const Json& body) const;
  FormData form_data() const;
  Json valid_body(const FormData& form) const;  // its texts
  ListQuery list_query() const;
  Json valid_query() const;

  // What this request tries. The whole of it counts, not its password alone: that may be tried on somebody else.
  Guess guess_at(std::string login) const;

  // Used by App.
  std::unique_ptr<UnitOfWork> unit;
  bool proved_password = false;    // set by who verified the password of the login that was guessed at
  bool password_unjudged = false;  // set when nobody could look at it

 private:
  acl::AccessList access_list() const;

  std::string token_text_;
  std::optional<TokenRecord> token_record_;
  mutable std::string access_block_;  // compiled at first use
  PathParameters parameters_;
  std::optional<std::string> tenant_;
  std::optional<std::string> master_tenant_;
};

}  // namespace wazoauth
