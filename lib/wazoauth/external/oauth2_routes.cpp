// Routes of a service that hands out tokens: connect a user, get a token, disconnect. All services are alike.
#include <algorithm>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/consent.h"
#include "wazoauth/external/data.h"
#include "wazoauth/external/pending_authorizations.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/store/event.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds renewal_poll{40};

// A token that ends so soon is as good as none; and none ends after that.
constexpr std::int64_t margin = 30;
constexpr double end_of_time = 1e15;

// Seconds for which the next callers get the same outcome; a service may ask for more (Retry-After), within a limit.
constexpr std::int64_t failure_holds = 1, refusal_holds = 30, longest_hold = 60;

const std::shared_ptr<const Schema>& token_shape() {
  static const auto token =
      shape("ExternalAuthToken", {{.name = "scope", .type = Type::list, .item = std::make_shared<const Field>(Field{})},
                                  {.name = "access_token"},
                                  {.name = "token_expiration", .type = Type::integer}});
  return token;
}

Schema scope_body() {
  const Field word{.min_length = 1, .max_length = 512};
  return {{{.name = "scope", .type = Type::list, .item = std::make_shared<const Field>(word)}}, {}, "NewExternalAuth"};
}

void require_addresses(const OAuth2Service& service) {
  if (service.token_url.empty())
    throw std::runtime_error("the configuration lacks addresses of \"" + service.type + "\"");
}

// -- connecting ------------------------------------------------------------------------------------------------------

Step ask(Context& context, const OAuth2Service& service, external::PendingAuthorizations& pending) {
  const Json wanted = context.valid_body().get("scope");
  const std::string& user = context.param("user_uuid");
  const external::Client client =
      external::client_of(external::config_of(context, service.type, external::unknown_config));
  visible_user(context.db(), user, context.caller_tenant());
  require_addresses(service);
  const external::Authorization asked = external::new_authorization(
      service, user, context.tenant(), wanted.size() ? wanted : Json::strings(service.scope));
  return external::start_consent(
      context, pending, asked,
      Response::json(Json::object({{"authorization_url", external::consent_address(service, client, asked)},
                                   {"state", asked.state}}),
                     201));
}

// -- getting a token
// --------------------------------------------------------------------------------------------------------

bool is_fresh(const Json& data) {
  const Json& expiration = data.get("token_expiration");
  return expiration.is_number() && expiration.number() > static_cast<double>(unix_seconds() + margin) &&
         expiration.number() < end_of_time;
}

Response shown(const Json& data) {
  const Json& expiration = data.get("token_expiration");
  Json answer = Json::object();
  for (const char* name : {"scope", "access_token"}) answer.set(name, data.get(name));
  answer.set("token_expiration", static_cast<std::int64_t>(expiration.number()));
  return Response::json(answer);
}

// The service refuses the stored refresh token. It stays: the reason may be the tenant's configuration.
[[noreturn]] void refuse(const std::string& type) {
  throw Problem::with_error_id(404, external::unknown_auth.reason,
                               "The service takes the user's authorization no longer", Json::object({{"type", type}}),
                               type);
}

[[noreturn]] void fail(const std::string& type) {
  throw std::runtime_error(type + ": no new token");
}

// One user's token, renewed by one caller at a time, over all nodes. The others wait for the result.
//
// A provider may accept an old refresh token only once, so the caller that asked must store the new one even when its
// client has left: everything from the reservation on runs on one lane.
class Renewal {
 public:
  Renewal(const OAuth2Service& service, external::Completion& completion, const Context& context)
      : service_(service),
        completion_(completion),
        user_(context.param("user_uuid")),
        limit_(context.settings.external.timeout + milliseconds(5000)),
        end_(Clock::now() + limit_) {}

  Step get(Context& context) const {
    const Json data = external::data_of(context, user_, service_.type);
    if (is_fresh(data)) return shown(data);
    if (data.text_or("refresh_token", "").empty()) refuse(service_.type);
    if (is_under_way(context)) return wait();
    return Step::then(Lane::external, [self = *this](Context& c) { return self.reserve(c); });
  }

 private:
  Step wait() const {
    return Step::after(renewal_poll,
                       [self = *this](Context& c) { return self.is_under_way(c) ? self.wait() : self.get(c); });
  }

  bool is_under_way(Context& context) const {
    const Rows rows = context.db().run("renewals.outcome", {user_, service_.type});
    if (rows.empty()) return false;
    const std::string outcome = rows.text(0, "outcome");
    if (outcome == "refused") refuse(service_.type);
    if (outcome == "failed" || Clock::now() > end_) fail(service_.type);
    return true;
  }

  Step reserve(Context& context) const {
    const external::Client client =
        external::client_of(external::config_of(context, service_.type, external::unknown_config));
    require_addresses(service_);
    const std::int64_t seconds = std::chrono::ceil<std::chrono::seconds>(limit_).count();
    if (context.db().run("renewals.begin", {user_, service_.type, seconds}).empty()) return wait();
    // Another caller may have renewed it before this one's turn came.
    const Json current = external::data_of(context, user_, service_.type);
    if (is_fresh(current)) {
      context.db().run("renewals.end", {user_, service_.type});
      return shown(current);
    }
    return Step::then(Lane::external,
                      [self = *this, current, client](Context& c) { return self.renew(c, current, client); });
  }

  // Has no unit of work of its own: a step whose transaction fails is done again.
  Step renew(Context& context, const Json& data, const external::Client& client) const {
    try {
      return store(data, external::renew(context.settings, service_, client, data));
    } catch (const external::ProviderError& e) {
      log::warning(service_.type + ": the token of user " + user_ + " isn't renewed: " + e.what());
      write_failure(e);
      e.for_good ? refuse(service_.type) : fail(service_.type);
    }
  }

  Step store(const Json& old, const Json& renewed) const {
    bool stored = false;
    const auto work = [&](UnitOfWork& unit) { stored = replace(unit, old, renewed); };
    if (!completion_.in_database(work)) throw Unavailable(service_.type + ": a new token is lost");
    if (stored) return shown(renewed);
    return Step::then(Lane::external, [self = *this](Context& c) {
      return shown(external::data_of(c, self.user_, self.service_.type));
    });
  }

  // False: another request has replaced or deleted the data meanwhile. That one counts.
  bool replace(UnitOfWork& unit, const Json& old, const Json& renewed) const {
    unit.run("renewals.end", {user_, service_.type});
    const Rows home = unit.run("authorizations.user", {user_}),
               rows = unit.run("external.data", {service_.type, user_});
    if (home.empty() || rows.empty() || !(rows.json(0, "data") == old)) return false;
    const std::vector<Param> change{user_, service_.type, renewed.dump(), rows.text(0, "data")};
    if (unit.run("renewals.store", change).affected() == 0) return false;
    unit.publish(events::external_auth_updated(home.text(0, "tenant_uuid"), user_, service_.type));
    return true;
  }

  void write_failure(const external::ProviderError& error) const {
    const std::int64_t asked = std::clamp(error.retry_after, failure_holds, longest_hold);
    const std::vector<Param> failure{user_, service_.type, error.for_good ? "refused" : "failed",
                                     error.for_good ? refusal_holds : asked};
    completion_.in_database([&](UnitOfWork& unit) { unit.run("renewals.fail", failure); });
  }

  const OAuth2Service& service_;
  external::Completion& completion_;
  std::string user_;
  milliseconds limit_;
  Clock::time_point end_;
};

Step get(Context& context, const OAuth2Service& service, external::Completion& completion) {
  context.tenant();  // its configuration counts; one that isn't the caller's is refused even when it isn't needed
  return Renewal(service, completion, context).get(context);
}

}  // namespace

void add_oauth2_routes(Router& router, const OAuth2Service& service, external::PendingAuthorizations& pending) {
  const std::string path = "/users/<user_uuid>/external/" + service.type;
  const std::string access = "auth.users.{user_uuid}.external." + service.type + ".";
  RouteFamily family(router, {.plugin = "external." + service.type, .tenancy = Tenancy::scoped});
  family.add({.method = "POST",
              .path = path,
              .access = access + "create",
              .handler = [&service, &pending](Context& context) { return ask(context, service, pending); },
              .summary = "Ask a user to connect to " + service.type + ": where he says yes",
              .body = takes(scope_body(), Report::first, "users"),
              .answer = object_of(shape("ExternalAuthAddress", {{.name = "authorization_url"}, {.name = "state"}})),
              .status = 201,
              .failures = {external::unknown_config, external::unknown_auth, failures::unknown_user}});
  family.add(
      {.method = "GET",
       .path = path,
       .access = access + "read",
       .handler = [&service, &pending](Context& context) { return get(context, service, pending.completion()); },
       .summary = "Get a user's token for " + service.type + ", a new one if the old one has expired",
       .answer = object_of(token_shape()),
       .failures = {external::unknown_type, external::unknown_auth, external::unknown_config, failures::unknown_user}});
  family.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .handler =
                  [&service](Context& context) {
                    external::delete_data(context, context.param("user_uuid"), service.type);
                    return Step(Response::no_content());
                  },
              .tenancy = Tenancy::caller,
              .summary = "Disconnect a user from " + service.type,
              .failures = {external::unknown_type, external::unknown_auth}});
}

}  // namespace wazoauth
