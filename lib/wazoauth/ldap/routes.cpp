#include "wazoauth/ldap/routes.h"

#include <limits>

#include "wazoauth/ldap/connection.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& config_shape() {
  static const auto config = shape("LdapConfig", {{.name = "tenant_uuid", .type = Type::uuid, .nullable = true},
                                                  {.name = "host", .nullable = true},
                                                  {.name = "port", .type = Type::integer, .nullable = true},
                                                  {.name = "protocol_version", .type = Type::integer, .nullable = true},
                                                  {.name = "protocol_security", .nullable = true},
                                                  {.name = "bind_dn", .nullable = true},
                                                  {.name = "user_base_dn", .nullable = true},
                                                  {.name = "user_login_attribute", .nullable = true},
                                                  {.name = "user_email_attribute", .nullable = true},
                                                  {.name = "search_filters", .nullable = true}});
  return config;
}

Step get_config(Context& context) {
  return row_response(context.db().run("ldap.get", {context.tenant()}), *config_shape());
}

Step put_config(Context& context) {
  const std::string& tenant = context.tenant();
  const Json body = context.valid_body();
  const auto text = [&](std::string_view name) {
    const Json& value = body.get(name);
    return value.is_null() ? Param(nullptr) : Param(value.text());
  };
  std::vector<std::string> given;
  for (const char* name : {"protocol_security", "bind_dn", "bind_password", "search_filters"}) {
    if (body.has(name)) given.emplace_back(name);
  }
  check_ldap_host(body);
  try {
    const Rows put = context.db().run(
        "ldap.put", {tenant, text("host"), body.get("port").integer(), body.get("protocol_version").integer(),
                     text("user_base_dn"), text("user_login_attribute"), text("user_email_attribute"),
                     text("protocol_security"), text("bind_dn"), text("bind_password"), text("search_filters"), given});
    if (put.affected() == 0) throw Problem::with_reason(400, "Invalid value supplied for field: bind_password");
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw problems::unauthorized_tenant(tenant);  // it was deleted a moment ago
    throw;
  }
  return get_config(context);
}

Step delete_config(Context& context) {
  context.db().run("ldap.delete", {context.tenant()});
  return Response::no_content();
}

}  // namespace

Schema ldap_config_body() {
  constexpr std::int64_t lowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t highest = std::numeric_limits<std::int32_t>::max();
  return {{{.name = "host", .required = true, .max_length = 512},
           {.name = "port", .type = Type::integer, .required = true, .minimum = lowest, .maximum = highest},
           {.name = "protocol_version", .type = Type::integer, .fallback = Json(3), .minimum = 2, .maximum = 3},
           {.name = "protocol_security", .nullable = true, .choices = {"ldaps", "tls"}},
           {.name = "bind_dn", .nullable = true, .max_length = 256},
           {.name = "user_base_dn", .required = true, .max_length = 256},
           {.name = "user_login_attribute", .required = true, .max_length = 64},
           {.name = "user_email_attribute", .required = true, .max_length = 64},
           {.name = "search_filters", .nullable = true},
           {.name = "bind_password", .nullable = true}},
          {},
          "LdapConfigEdit"};
}

void check_ldap_host(const Json& body) {
  if (const std::string_view host = body.get("host").text(); !host.empty() && !ldap::is_host(host))
    throw Problem::with_reason(400,
                               "Invalid value supplied for field: host. It takes a name or an address, without "
                               "ldap:// or a port");
}

void add_ldap_config_routes(Router& router) {
  const std::string path = "/backends/ldap", access = "auth.backends.ldap.";
  RouteFamily family(router, {.plugin = "ldap_config", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = path,
              .access = access + "read",
              .handler = get_config,
              .mode = Mode::read_only,
              .summary = "Get the directory of a tenant; every member is null when there is none",
              .answer = object_of(config_shape())});
  family.add({.method = "PUT",
              .path = path,
              .access = access + "update",
              .handler = put_config,
              .summary =
                  "Set the directory of a tenant; members that may be null keep what they had when they are left out, "
                  "bind_password only for the same host, port and protocol_security",
              .body = takes(ldap_config_body(), Report::field),
              .answer = object_of(config_shape())});
  family.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .handler = delete_config,
              .summary = "Forget the directory of a tenant"});
}

}  // namespace wazoauth
