#include "wazoauth/lock/routes.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/store/event.h"
#include "wazoauth/tenant/new_tenant.h"
#include "wazoauth/tenant/routes.h"
#include "wazoauth/tenant/tenant_body.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& tenant_shape() {
  static const auto tenant = [] {
    std::vector<Field> lines;
    for (const char* name : {"line_1", "line_2", "city", "state", "country", "zip_code"})
      lines.push_back({.name = name, .nullable = true});
    return shape("Tenant", {{.name = "uuid", .type = Type::uuid},
                            {.name = "parent_uuid", .type = Type::uuid},
                            {.name = "name", .nullable = true},
                            {.name = "slug"},
                            {.name = "contact", .type = Type::uuid, .nullable = true},
                            {.name = "phone", .nullable = true},
                            {.name = "default_authentication_method"},
                            list_of({}, "domain_names"),
                            object_of(shape("Address", lines), "address")});
  }();
  return tenant;
}

const std::shared_ptr<const Schema>& domain_shape() {
  static const auto domain = shape("Domain", {{.name = "name"}, {.name = "uuid", .type = Type::uuid}});
  return domain;
}

Rows visible_tenant(UnitOfWork& unit, const std::string& uuid, const std::string& scoping_tenant) {
  Rows rows = unit.run("tenants.visible", {uuid, scoping_tenant});
  if (rows.empty()) throw problems::unknown("tenant", uuid);
  return rows;
}

Step list_tenants(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  ListStatement statement("tenants", "t", "t.uuid", query);
  statement.of_tenant(context, tenant, true).filtered_by_columns(context, {"domain_name"});
  if (query.filters.has("uuids")) {
    std::vector<std::string> wanted;
    for (const Json& uuid : query.filters.get("uuids").items()) wanted.emplace_back(uuid.text());
    statement.filtered("tenants.by.uuids", wanted);
  }
  return statement.answer(context, *tenant_shape());
}

Step create_tenant(Context& context) {
  const std::string& parent = context.tenant();
  const TenantBody body = read_tenant_body(context);
  if (body.uuid == parent) {
    const Json detail = Json::object({{"constraint_id", "unique"}, {"msg", "A master tenant already exist"}});
    throw Problem::with_error_id(403, "conflict", "Conflict detected", Json::object({{"parent_uuid", detail}}),
                                 "tenants");
  }
  UnitOfWork& unit = context.db();
  const std::string uuid = add_tenant(unit, context.settings, body, parent);
  return row_response(visible_tenant(unit, uuid, parent), *tenant_shape());
}

Step get_tenant(Context& context) {
  return row_response(visible_tenant(context.db(), context.param("tenant_uuid"), context.tenant()), *tenant_shape());
}

Step update_tenant(Context& context) {
  const std::string& tenant = context.tenant();
  const TenantBody body = read_tenant_body(context);
  const std::string& uuid = context.param("tenant_uuid");
  UnitOfWork& unit = context.db();
  visible_tenant(unit, uuid, tenant);
  try {
    if (unit.run("tenants.update", {uuid, body.name, body.contact, body.phone, body.method}).affected() == 0)
      throw problems::unknown("tenant", uuid);
    unit.run("tenants.keep_domains", {uuid, Param(body.domain_names)});
    unit.run("tenants.add_domains", {uuid, Param(body.domain_names)});
  } catch (const ConstraintViolation& e) {
    throw tenant_problem(e, body, uuid);
  }
  unit.run("tenants.delete_address", {uuid});
  write_tenant_address(unit, uuid, body);
  unit.publish(events::tenant_updated(uuid, body.name));
  return row_response(visible_tenant(unit, uuid, tenant), *tenant_shape());
}

// Clients know this odd body: error_id and details have changed places.
Problem has_children(const std::string& uuid) {
  return Problem::with_error_id(400, Json::object({{"uuid", uuid}}),
                                "Unauthorized delete of tenant : \"" + uuid + "\" ; since it has at least one child",
                                "tenants");
}

Step delete_tenant(Context& context) {
  const std::string& uuid = context.param("tenant_uuid");
  if (uuid == context.tenant())
    throw Problem::with_error_id(403, "deleting-own-tenant-forbidden",
                                 "Deleting its own tenant is forbidden: \"" + uuid + "\"",
                                 Json::object({{"tenant_uuid", uuid}}), "tenants");
  UnitOfWork& unit = context.db();
  visible_tenant(unit, uuid, context.tenant());
  if (unit.run("tenants.has_children", {uuid}).boolean(0, "yes")) throw has_children(uuid);
  try {
    unit.run("tenants.delete", {uuid});
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw has_children(uuid);
    throw;
  }
  unit.publish(events::tenant_deleted(uuid));
  return Response::no_content();
}

Step list_domains(Context& context) {
  const std::string& uuid = context.param("tenant_uuid");
  visible_tenant(context.db(), uuid, context.caller_tenant());
  return items_response(context.db().run("tenants.domains", {uuid}), *domain_shape());
}

Step move_tenant(Context& context) {
  const std::string& uuid = context.param("tenant_uuid");
  const std::string& parent = context.param("parent_tenant_uuid");
  UnitOfWork& unit = context.db();
  unit.run("tree.lock");
  visible_tenant(unit, uuid, context.tenant());
  visible_tenant(unit, parent, context.tenant());
  if (unit.run("context.in_subtree", {parent, uuid}).boolean(0, "inside"))
    throw Problem::with_error_id(409, "conflict", "Parent (" + parent + ") is a descendent of tenant: \"" + uuid + "\"",
                                 Json::object({{"uuid", uuid}, {"parent_uuid", parent}}), "tenants");
  try {
    unit.run("tree.move", {uuid, parent});
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw problems::unknown("tenant", parent);
    throw;
  }
  // It may have come below a tenant that is locked.
  return Step::then(Lane::database, end_what_is_locked);
}

}  // namespace

void add_tenant_routes(Router& router) {
  using namespace failures;
  const auto& tenant = tenant_shape();
  const auto domains =
      shape("DomainList", {{.name = "total", .type = Type::integer}, list_of(object_of(domain_shape()), "items")});
  Field uuids = list_of({}, "uuids");
  uuids.max_length = 25;
  const std::string one = "/tenants/<tenant_uuid>", access = "auth.tenants.{tenant_uuid}.";
  RouteFamily family(router, {.plugin = "tenants", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/tenants",
              .access = "auth.tenants.read",
              .handler = list_tenants,
              .mode = Mode::read_only,
              .summary = "List the tenant and all below it",
              .list = listed({{"name", "slug"}, "name", {}, {uuids}, {"uuid", "name", "slug", "domain_name"}}),
              .answer = list_answer(tenant)});
  family.add(
      {.method = "POST",
       .path = "/tenants",
       .access = "auth.tenants.create",
       .handler = create_tenant,
       .summary = "Create a tenant",
       .body = tenant_body(true),
       .answer = object_of(tenant),
       .failures = {
           conflict, {409, ErrorForm::error_id, "tenant-identity-conflict"}, {403, ErrorForm::error_id, "conflict"}}});
  family.add({.method = "GET",
              .path = one,
              .access = access + "read",
              .handler = get_tenant,
              .mode = Mode::read_only,
              .summary = "Get a tenant",
              .answer = object_of(tenant),
              .failures = {unknown_tenant}});
  family.add({.method = "PUT",
              .path = one,
              .access = access + "update",
              .handler = update_tenant,
              .summary = "Replace a tenant's data; what isn't given gets its default",
              .body = tenant_body(false),
              .answer = object_of(tenant),
              .failures = {unknown_tenant, conflict}});
  family.add({.method = "DELETE",
              .path = one,
              .access = access + "delete",
              .handler = delete_tenant,
              .summary = "Delete a tenant with all that it has; not one with tenants below it",
              .failures = {unknown_tenant,
                           {403, ErrorForm::error_id, "deleting-own-tenant-forbidden"},
                           {400, ErrorForm::error_id, "the uuid of a tenant that has tenants below it"}}});
  family.add({.method = "GET",
              .path = one + "/domains",
              .access = access + "domains.read",
              .handler = list_domains,
              .mode = Mode::read_only,
              .tenancy = Tenancy::caller,
              .summary = "List a tenant's domains",
              .answer = object_of(domains),
              .failures = {unknown_tenant}});
  family.add({.method = "PUT",
              .path = one + "/parent/<parent_tenant_uuid>",
              .access = access + "parent.{parent_tenant_uuid}.update",
              .handler = move_tenant,
              .summary = "Move a tenant below another one",
              .failures = {unknown_tenant, conflict}});
}

}  // namespace wazoauth
