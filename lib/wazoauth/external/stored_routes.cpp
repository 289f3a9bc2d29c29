// Routes of a service whose data is only stored, as the configuration declares it; if declared so, a broker's message
// completes the data.
#include "wazoauth/config/settings.h"
#include "wazoauth/external/consent.h"
#include "wazoauth/external/data.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/rest/failures.h"

namespace wazoauth {

namespace {

Json body_of(const Context& context, const StoredService& service) {
  if (service.data) return context.valid_body();
  Json body = context.body_object();
  if (!body.is_object())
    report(Report::first, Json::object({{"_schema", Json::array({Json("Invalid input type.")})}}), "users");
  return body;
}

Step post(Context& context, const StoredService& service, external::PendingAuthorizations& pending) {
  Json data = body_of(context, service);
  const std::string& user = context.param("user_uuid");
  if (service.awaited.empty()) {
    external::add_data(context, user, service.type, data);
    return Response::json(data);
  }
  const external::Authorization asked = external::new_authorization(service, user, context.caller_tenant());
  data.set("state", asked.state);
  external::add_data(context, user, service.type, data);
  return external::start_consent(context, pending, asked, Response::json(data));
}

Step put(Context& context, const StoredService& service) {
  const Json data = body_of(context, service);
  external::replace_data(context, context.param("user_uuid"), service.type, data);
  return Response::json(data);
}

}  // namespace

void add_stored_routes(Router& router, const StoredService& service, external::PendingAuthorizations& pending) {
  const std::string path = "/users/<user_uuid>/external/" + service.type;
  const std::string access = "auth.users.{user_uuid}.external." + service.type + ".";
  const auto body = service.data ? takes(*service.data, Report::first, "users") : takes_any();
  // Rows may be older than the declaration.
  const Field answer{.type = Type::object};
  const auto with = [&service](auto handler) {
    return [&service, handler](Context& c) -> Step { return handler(c, service); };
  };
  RouteFamily family(router, {.plugin = "external." + service.type, .tenancy = Tenancy::caller});
  family.add({.method = "GET",
              .path = path,
              .access = access + "read",
              .handler = with([](Context& c, const StoredService& s) {
                return Response::json(external::data_of(c, c.param("user_uuid"), s.type));
              }),
              .mode = Mode::read_only,
              .summary = "Get what is stored of a user for " + service.type,
              .answer = answer,
              .failures = {external::unknown_type, external::unknown_auth}});
  family.add({.method = "POST",
              .path = path,
              .access = access + "create",
              .handler = [&service, &pending](Context& c) { return post(c, service, pending); },
              .summary = "Store data of a user for " + service.type,
              .body = body,
              .answer = answer,
              .failures = {failures::invalid_data, failures::conflict}});
  family.add({.method = "PUT",
              .path = path,
              .access = access + "update",
              .handler = with(put),
              .summary = "Replace data of a user for " + service.type,
              .body = body,
              .answer = answer,
              .failures = {failures::invalid_data, external::unknown_type, external::unknown_auth}});
  family.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .handler = with([](Context& c, const StoredService& s) {
                external::delete_data(c, c.param("user_uuid"), s.type);
                return Response::no_content();
              }),
              .summary = "Delete what is stored of a user for " + service.type,
              .failures = {external::unknown_type, external::unknown_auth}});
}

}  // namespace wazoauth
