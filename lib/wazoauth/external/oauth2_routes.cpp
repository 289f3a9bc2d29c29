// What a user does with a service that hands out tokens: allow it, use it, leave it. All services are alike.
#include <thread>

#include "wazoauth/app.h"
#include "wazoauth/bus/event.h"
#include "wazoauth/cache/token_store.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/asking.h"
#include "wazoauth/external/data.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/log.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/tenant/tree.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds renewal_poll{40};

// A token that ends so soon is as good as none; and none ends after that.
constexpr std::int64_t margin = 30;
constexpr double end_of_time = 1e15;

// Seconds that an outcome holds for those who ask next.
constexpr std::int64_t failure_holds = 1, refusal_holds = 30;

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

// -- to allow it ------------------------------------------------------------------------------------------------------

Step ask(Context& context, const OAuth2Service& service) {
  const Json wanted = context.valid_body().get("scope");
  const std::string& user = context.param("user_uuid");
  const external::Client client =
      external::client_of(external::config_of(context, service.type, external::unknown_config));
  visible_user(context.db(), user, caller_tenant(context));
  require_addresses(service);
  const external::Authorization asked = external::new_authorization(
      service, user, context.tenant(), wanted.size() ? wanted : Json::strings(service.scope));
  return external::ask_and_answer(
      context, asked,
      Response::json(Json::object({{"authorization_url", external::consent_address(service, client, asked)},
                                   {"state", asked.state}}),
                     201));
}

// -- to use it --------------------------------------------------------------------------------------------------------

bool is_fresh(const Json& data) {
  const Json expiration = data.get("token_expiration");
  return expiration.is_number() && expiration.number() > static_cast<double>(unix_seconds() + margin) &&
         expiration.number() < end_of_time;
}

Response shown(const Json& data) {
  const Json expiration = data.get("token_expiration");
  Json answer = Json::object();
  for (const char* name : {"scope", "access_token"}) answer.set(name, data.get(name));
  answer.set("token_expiration", static_cast<std::int64_t>(expiration.number()));
  return Response::json(answer);
}

// The service takes nothing of what is stored any more. It stays: the reason may be the tenant's configuration.
[[noreturn]] void refuse(const std::string& type) {
  throw Problem::a_form(404, external::unknown_auth.reason, "The service takes the user's authorization no longer",
                        Json::object({{"type", type}}), type);
}

// One user's token, renewed by one caller at a time, over all nodes. The others wait for the result.
class Renewal {
 public:
  Renewal(const OAuth2Service& service, const Context& context)
      : service_(service),
        user_(context.param("user_uuid")),
        limit_(context.settings.external_auth_timeout + milliseconds(5000)),
        end_(Clock::now() + limit_) {}

  Step get(Context& context) const {
    const Json data = external::data_of(context, user_, service_.type);
    if (is_fresh(data)) return shown(data);
    if (data.text_or("refresh_token", "").empty()) refuse(service_.type);
    const external::Client client =
        external::client_of(external::config_of(context, service_.type, external::unknown_config));
    require_addresses(service_);
    const std::int64_t seconds = std::chrono::ceil<std::chrono::seconds>(limit_).count();
    const bool mine = !context.db().run("renewals.begin", {user_, service_.type, seconds}).empty();
    if (!mine) return wait(context);
    // What somebody else did before this one's turn came is seen only now.
    const Json current = external::data_of(context, user_, service_.type);
    if (is_fresh(current)) {
      context.db().run("renewals.end", {user_, service_.type});
      return shown(current);
    }
    return Step::then(Lane::external,
                      [self = *this, current, client](Context& c) { return self.renew(c, current, client); });
  }

 private:
  Step wait(Context& context) const {
    const Rows rows = context.db().run("renewals.outcome", {user_, service_.type});
    const std::string outcome = rows.empty() ? "" : rows.text(0, "outcome");
    if (outcome == "refused") refuse(service_.type);
    if (outcome == "failed" || Clock::now() > end_) throw std::runtime_error(service_.type + ": no new token");
    return Step::then(Lane::external, [self = *this](Context&) {
      std::this_thread::sleep_for(renewal_poll);
      return Step::then(Lane::database, [self](Context& c) { return self.get(c); });
    });
  }

  Step renew(Context& context, const Json& data, const external::Client& client) const {
    try {
      const Json renewed = external::renew(context.settings, service_, client, data);
      return Step::then(Lane::database,
                        [self = *this, data, renewed](Context& c) { return self.store(c, data, renewed); });
    } catch (const external::ProviderError& e) {
      log::warning(service_.type + ": the token of user " + user_ + " isn't renewed: " + e.what());
      return Step::then(Lane::database,
                        [self = *this, refused = e.for_good](Context& c) { return self.fail(c, refused); });
    }
  }

  Step store(Context& context, const Json& old, const Json& renewed) const {
    const std::string tenant = visible_user(context.db(), user_, caller_tenant(context)).text(0, "tenant_uuid");
    context.db().run("renewals.end", {user_, service_.type});
    const Rows rows = context.db().run("external.data", {service_.type, user_});
    // Somebody else has written meanwhile, or deleted: that counts.
    if (rows.empty() || !(rows.json(0, "data") == old) ||
        context.db().run("renewals.store", {user_, service_.type, renewed.dump(), rows.text(0, "data")}).affected() ==
            0)
      return shown(external::data_of(context, user_, service_.type));
    context.db().publish(events::external_auth_updated(tenant, user_, service_.type));
    return shown(renewed);
  }

  Step fail(Context& context, bool refused) const {
    context.db().run("renewals.fail",
                     {user_, service_.type, refused ? "refused" : "failed", refused ? refusal_holds : failure_holds});
    return Step::then(Lane::database, [type = service_.type, refused](Context&) -> Step {
      if (refused) refuse(type);
      throw std::runtime_error(type + ": no new token");
    });
  }

  const OAuth2Service& service_;
  std::string user_;
  milliseconds limit_;
  Clock::time_point end_;
};

Step get(Context& context, const OAuth2Service& service) {
  context.tenant();  // its configuration counts; one that isn't the caller's is refused even when nobody needs it
  return Renewal(service, context).get(context);
}

}  // namespace

void add_oauth2_routes(Router& router, const OAuth2Service& service) {
  const std::string path = "/users/<user_uuid>/external/" + service.type;
  const std::string access = "auth.users.{user_uuid}.external." + service.type + ".";
  const std::string plugin = "external." + service.type;
  router.add({.method = "POST",
              .path = path,
              .access = access + "create",
              .plugin = plugin,
              .handler = [&service](Context& context) { return ask(context, service); },
              .tenancy = Tenancy::scoped,
              .summary = "Ask a user to connect to " + service.type + ": where he says yes",
              .body = takes(scope_body(), Report::first, "users"),
              .answer = object_of(shape("ExternalAuthAddress", {{.name = "authorization_url"}, {.name = "state"}})),
              .status = 201,
              .failures = {external::unknown_config, external::unknown_auth, failures::unknown_user}});
  router.add(
      {.method = "GET",
       .path = path,
       .access = access + "read",
       .plugin = plugin,
       .handler = [&service](Context& context) { return get(context, service); },
       .tenancy = Tenancy::scoped,
       .summary = "Get a user's token for " + service.type + ", a new one if the old one has expired",
       .answer = object_of(token_shape()),
       .failures = {external::unknown_type, external::unknown_auth, external::unknown_config, failures::unknown_user}});
  router.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .plugin = plugin,
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
