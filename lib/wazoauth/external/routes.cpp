#include "wazoauth/external/routes.h"

#include "wazoauth/base/log.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/data.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& type_of_user_shape() {
  static const auto type = shape("ExternalAuth", {{.name = "type"},
                                                  {.name = "data", .type = Type::object},
                                                  {.name = "enabled", .type = Type::boolean},
                                                  {.name = "plugin_info", .type = Type::object}});
  return type;
}

const std::shared_ptr<const Schema>& user_key_shape() {
  static const auto user = shape("ExternalAuthUser", {{.name = "uuid", .type = Type::uuid}});
  return user;
}

const ShownService* shown_service(const Settings& settings, const std::string& type) {
  for (const ShownService& service : settings.external.shown_services) {
    if (service.type == type) return &service;
  }
  return nullptr;
}

// The members that have their declared types; the others stay private.
Json shown_data(const ShownService& service, const Json& stored) {
  if (!stored.is_object()) return Json::object();
  Validated valid = validate(service.data, stored);
  if (!valid.errors.is_null()) log::warning(service.type + ": data of a user isn't all as it was declared to be shown");
  return std::move(valid.value);
}

Json type_of_user(const Settings& settings, const Rows& rows, std::size_t row) {
  const std::string type = rows.text(row, "type");
  const ShownService* service = shown_service(settings, type);
  return Json::object({{"type", type},
                       {"data", service ? shown_data(*service, rows.json(row, "data")) : Json::object()},
                       {"enabled", rows.boolean(row, "enabled")},
                       {"plugin_info", service ? service->plugin_info : Json::object()}});
}

Response types_response(const Settings& settings, const Rows& rows) {
  Json items = Json::array();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (!rows.is_null(row, "uuid")) items.append(type_of_user(settings, rows, row));
  }
  return Response::json(Json::object(
      {{"filtered", rows.integer(0, "filtered")}, {"total", rows.integer(0, "total")}, {"items", std::move(items)}}));
}

// Of a user who isn't there, or isn't the caller's to see, this tells as much as of one who has nothing.
Step list_types_of_user(Context& context) {
  const ListQuery query = context.list_query();
  const std::string& user = context.param("user_uuid");
  const bool visible = !context.db().run("users.visible", {user, context.caller_tenant()}).empty();
  std::vector<std::string> shown;
  for (const ShownService& service : context.settings.external.shown_services) shown.push_back(service.type);
  const Rows rows = context.db().run("external.types_of_user",
                                     {visible ? std::optional(user) : std::nullopt, query.search_pattern,
                                      filter_of(context.request, "type"), query.limit, query.offset, Param(shown)},
                                     {{"direction", query.descending ? "DESC" : "ASC"}});
  return types_response(context.settings, rows);
}

Step list_users(Context& context) {
  const ListQuery query = context.list_query();
  const std::string &tenant = context.tenant(), &type = context.param("auth_type");
  external::require_type(context, type);
  const Rows rows = context.db().run("external.users", {type, tenant, query.recurse, query.limit, query.offset});
  return list_response(rows, *user_key_shape());
}

Step get_config(Context& context) {
  return Response::json(external::config_of(context, context.param("auth_type"), external::unknown_config));
}

// Clients read the body, and it has always been this one.
Step post_config(Context& context) {
  const Json config = context.body();
  external::create_config(context, context.param("auth_type"), config);
  return Response::json("", 201);
}

Step put_config(Context& context) {
  const Json config = context.body();
  external::update_config(context, context.param("auth_type"), config);
  return Response::no_content();
}

Step delete_config(Context& context) {
  external::delete_config(context, context.param("auth_type"));
  return Response::no_content();
}

}  // namespace

void add_external_routes(Router& router) {
  const std::string config = "/external/<auth_type>/config", access = "auth.{auth_type}.external.config.";
  RouteFamily family(router, {.plugin = "external", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/users/<user_uuid>/external",
              .access = "auth.users.{user_uuid}.external.read",
              .handler = list_types_of_user,
              .mode = Mode::read_only,
              .tenancy = Tenancy::caller,
              .summary = "List the external services and which of them a user is connected to",
              .list = listed({.sort_columns = {"type"}, .default_order = "type", .columns = {"type"}}),
              .answer = list_answer(type_of_user_shape())});
  family.add({.method = "GET",
              .path = config,
              .access = access + "read",
              .handler = get_config,
              .mode = Mode::read_only,
              .summary = "Get a tenant's configuration of an external service",
              .answer = Field{.type = Type::any},
              .failures = {external::unknown_config, external::unknown_auth}});
  family.add({.method = "POST",
              .path = config,
              .access = access + "create",
              .handler = post_config,
              .summary = "Configure an external service for a tenant",
              .body = takes_any(),
              .answer = Field{.type = Type::string},
              .status = 201,
              .failures = {failures::conflict}});
  family.add({.method = "PUT",
              .path = config,
              .access = access + "update",
              .handler = put_config,
              .summary = "Replace a tenant's configuration of an external service",
              .body = takes_any(),
              .failures = {external::unknown_type, external::unknown_auth}});
  family.add({.method = "DELETE",
              .path = config,
              .access = access + "delete",
              .handler = delete_config,
              .summary = "Delete a tenant's configuration of an external service",
              .failures = {external::unknown_type, external::unknown_auth}});
  family.add({.method = "GET",
              .path = "/external/<auth_type>/users",
              .access = "auth.{auth_type}.external.users.read",
              .handler = list_users,
              .mode = Mode::read_only,
              .summary = "List the users that are connected to an external service",
              .list = listed({}),
              .answer = list_answer(user_key_shape()),
              .failures = {external::unknown_type}});
}

}  // namespace wazoauth
