// The verbs of wazo-auth-gate that ask the database why an access is granted, and to whom: docs/explain.md.
//
// They read the settings and the database as nginx does, and need no nginx that runs.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "tool.h"
#include "wazoauth/access/routes.h"
#include "wazoauth/access/who_can.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/cache/token_store.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/http/http.h"
#include "wazoauth/openapi/route_table.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth::tool {

inline constexpr int not_allowed = 3;  // exit status of a verdict

// The database of a configuration.
struct Platform {
  explicit Platform(const std::string& config) : settings(load_settings(config)), database(options_of(settings)) {
    if (settings.db_uri.empty()) throw std::runtime_error(config + " has no db_uri");
  }
  static DatabaseOptions options_of(const Settings& settings) {
    DatabaseOptions options;
    options.conninfo = settings.db_uri;
    options.statement_timeout = std::chrono::seconds(60);
    return options;
  }

  Settings settings;
  Database database;
};

// -- who-can

struct WhoCanRequest {
  std::string access, config, tenant;  // tenant "": all
  bool json = false;
};

inline std::string shown_origin(const Rows& rows, std::size_t row) {
  const std::string group = rows.text(row, "origins.group_name");
  std::string text =
      '"' + rows.text(row, "origins.pattern") + "\" of policy \"" + rows.text(row, "origins.policy_name") + '"';
  if (!group.empty()) text += " of group \"" + group + '"';
  if (rows.text(row, "origins.kind") == "default_user_policy") text += ", the default_user_policy";
  return text;
}

// A user a line, and below it where the access comes from.
inline int who_can(const WhoCanRequest& request) {
  if (!request.tenant.empty() && !is_uuid(request.tenant)) throw UsageError("--tenant wants a UUID");
  Platform platform(request.config);
  UnitOfWork unit(platform.database, Mode::read_only);
  access::WhoCan asked;
  asked.access = request.access;
  if (!request.tenant.empty()) asked.tenant_uuid = request.tenant;
  asked.recurse = true;
  const Rows rows = access::who_can(unit, platform.settings, asked);
  if (request.json) {
    std::cout << list_response(rows, *access::holder_shape()).body;
    return 0;
  }
  for (std::size_t row = 0; row < rows.size() && !rows.is_null(row, "uuid"); ++row) {
    const bool next_user = row == 0 || rows.text(row, "uuid") != rows.text(row - 1, "uuid");
    if (next_user)
      std::cout << rows.text(row, "uuid") << "  " << rows.optional_text(row, "username").value_or("(no username)")
                << "  of tenant " << rows.text(row, "tenant_uuid") << '\n';
    std::cout << "    " << shown_origin(rows, row) << '\n';
  }
  const std::int64_t total = rows.integer(0, "total");
  std::cout << total << (total == 1 ? " user has \"" : " users have \"") << request.access << "\"\n";
  return 0;
}

// -- check

struct CheckRequest {
  std::string method, target, config;
  std::string user, token;  // one of them, or none; the token "-": from the standard input
  bool json = false;
};

inline std::string read_token(const std::string& given) {
  std::string token = given;
  if (given == "-" && !std::getline(std::cin, token)) throw std::runtime_error("no token on the standard input");
  return token;
}

// Who asks, before it is known for which access.
class Asker {
 public:
  explicit Asker(const CheckRequest& request) : platform_(request.config), unit_(platform_.database, Mode::read_only) {
    if (!request.user.empty()) {
      user_ = access::find_user_named(unit_, request.user);
      if (!user_) throw std::runtime_error("no user \"" + request.user + '"');
      return;
    }
    TokenStore store(nullptr, platform_.database, nullptr);
    token_ = gate::live_token(store, read_token(request.token));
    if (!token_) throw std::runtime_error("no such token, or it has expired");
  }

  // A token lives when it was found; who is disabled gets none.
  bool live() const { return !user_ || user_->enabled; }
  access::Explanation explain(const std::string& required) {
    return user_ ? access::explain(unit_, platform_.settings, *user_, required)
                 : access::explain(unit_, platform_.settings, *token_, required);
  }

 private:
  Platform platform_;
  UnitOfWork unit_;
  std::optional<access::User> user_;
  std::optional<TokenRecord> token_;
};

// A required access of the operation: one of them is enough. "" when a value of the path would be refused in it.
struct CheckedAccess {
  std::string access;
  std::optional<access::Explanation> explanation;  // when somebody asks
};

struct Checked {
  openapi::Match match;
  bool asked = false;  // for a user or a token
  bool live = false;   // the token lives, or the user could get one
  std::vector<CheckedAccess> accesses;

  openapi::Need need() const { return match.operation ? match.operation->need : openapi::Need::open; }
  bool allowed() const {
    if (need() == openapi::Need::open) return true;
    if (need() == openapi::Need::token) return live;
    return std::any_of(accesses.begin(), accesses.end(), [](const CheckedAccess& each) {
      return each.explanation && each.explanation->judgement.allowed();
    });
  }
};

// `path` stays while what is returned does.
inline Checked check(const openapi::RouteTable& table, const CheckRequest& request, const std::string& path) {
  using Outcome = openapi::Match::Outcome;
  Checked checked{table.match(request.method, path), !request.user.empty() || !request.token.empty(), false, {}};
  const openapi::Match& match = checked.match;
  if (match.outcome == Outcome::unmatched) throw std::runtime_error("no operation has the path " + path);
  if (match.outcome == Outcome::wrong_method)
    throw std::runtime_error(path + " has other methods: " + openapi::allow_header(match.allowed));
  std::optional<Asker> asker;
  if (checked.asked) checked.live = asker.emplace(request).live();
  for (std::size_t i = 0; checked.need() == openapi::Need::acl && i < match.operation->accesses.size(); ++i) {
    CheckedAccess each;
    if (!openapi::append_access(match, i, each.access)) each.access.clear();
    if (asker && !each.access.empty()) each.explanation = asker->explain(each.access);
    checked.accesses.push_back(std::move(each));
  }
  return checked;
}

inline void print(const access::Explanation& explanation) {
  std::cout << "    " << (explanation.judgement.allowed() ? "allowed" : "not allowed") << ": " << explanation.summary()
            << '\n';
  for (const access::Change& change : explanation.changes) std::cout << "    - " << change.text << '\n';
}

inline void print(const Checked& checked) {
  const openapi::Operation* operation = checked.match.operation;
  if (operation)
    std::cout << operation->method << ' ' << operation->path << "  (" << operation->file
              << (operation->line ? ":" + std::to_string(operation->line) : "")
              << (operation->corrected ? ", corrected" : "") << ")\n";
  if (checked.need() == openapi::Need::open) std::cout << "  needs no token\n";
  if (checked.need() == openapi::Need::closed) std::cout << "  is refused: the document can't be understood here\n";
  if (checked.need() == openapi::Need::token) {
    std::cout << "  needs any live token\n";
    if (checked.asked && !checked.live) std::cout << "    not allowed: the user is disabled and can't log in\n";
  }
  for (const CheckedAccess& each : checked.accesses) {
    if (each.access.empty())
      std::cout << "  is refused: a value in the path would widen the access\n";
    else
      std::cout << "  needs " << each.access << '\n';
    if (each.explanation) print(*each.explanation);
  }
}

inline Json as_json(const Checked& checked) {
  const openapi::Operation* operation = checked.match.operation;
  Json accesses = Json::array();
  for (const CheckedAccess& each : checked.accesses)
    accesses.append(Json::object({{"access", each.access.empty() ? Json() : Json(each.access)},
                                  {"explanation", each.explanation ? access::to_json(*each.explanation) : Json()}}));
  return Json::object({{"method", operation ? Json(operation->method) : Json()},
                       {"path", operation ? Json(operation->path) : Json()},
                       {"need", openapi::name_of(checked.need())},
                       {"allowed", checked.asked ? Json(checked.allowed()) : Json()},
                       {"accesses", std::move(accesses)}});
}

inline int check(const openapi::RouteTable& table, const CheckRequest& request) {
  const std::string path = decode_segment(request.target.substr(0, request.target.find('?')));
  const Checked checked = check(table, request, path);
  if (request.json)
    std::cout << as_json(checked).dump() << '\n';
  else
    print(checked);
  return checked.asked && !checked.allowed() ? not_allowed : 0;
}

}  // namespace wazoauth::tool
