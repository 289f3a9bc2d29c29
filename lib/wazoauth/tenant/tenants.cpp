#include "wazoauth/bus/event.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/tenant/new_tenant.h"
#include "wazoauth/tenant/routes.h"
#include "wazoauth/tenant/tenant_body.h"
#include "wazoauth/tenant/tree.h"

namespace wazoauth {

namespace {

Json tenant_json(const Rows& rows, std::size_t row) {
  Json address = Json::object();
  for (const char* field : {"line_1", "line_2", "city", "state", "country", "zip_code"})
    address.set(field, rows.optional_text(row, field));
  return Json::object({{"uuid", rows.text(row, "uuid")},
                       {"parent_uuid", rows.text(row, "parent_uuid")},
                       {"name", rows.optional_text(row, "name")},
                       {"slug", rows.text(row, "slug")},
                       {"contact", rows.optional_text(row, "contact_uuid")},
                       {"phone", rows.optional_text(row, "phone")},
                       {"default_authentication_method", rows.text(row, "default_authentication_method")},
                       {"domain_names", rows.json(row, "domain_names")},
                       {"address", address}});
}

Rows visible_tenant(UnitOfWork& unit, const std::string& uuid, const std::string& scoping_tenant) {
  Rows rows = unit.run("tenants.visible", {uuid, scoping_tenant});
  if (rows.empty()) throw problems::unknown("tenant", uuid);
  return rows;
}

Step list_tenants(Context& context) {
  static const Field text{.name = "uuid"};
  static const ListSpec spec{
      {"name", "slug"},
      "name",
      {},
      {{.name = "uuids", .type = Type::list, .max_length = 25, .item = std::make_shared<const Field>(text)}}};
  const Request& request = context.request;
  const std::string& tenant = context.tenant();
  const ListQuery query = parse_list(request, spec);
  Param uuids(nullptr);
  if (query.filters.has("uuids")) {
    std::vector<std::string> wanted;
    for (const Json& uuid : query.filters.get("uuids").items()) wanted.emplace_back(uuid.text());
    uuids = Param(wanted);
  }
  const std::vector<Param> params = {tenant,
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     uuids,
                                     filter_of(request, "name"),
                                     filter_of(request, "slug"),
                                     filter_unless_empty(request, "domain_name"),
                                     query.limit,
                                     query.offset};
  return page_response(context.db().run("tenants.page", params, sort_variants(query)), tenant_json);
}

Step create_tenant(Context& context) {
  const std::string& parent = context.tenant();
  const TenantBody body = new_tenant_body(context);
  if (body.uuid == parent) {
    const Json detail = Json::object({{"constraint_id", "unique"}, {"msg", "A master tenant already exist"}});
    throw Problem::a_form(403, "conflict", "Conflict detected", Json::object({{"parent_uuid", detail}}), "tenants");
  }
  UnitOfWork& unit = context.db();
  const std::string uuid = add_tenant(unit, context.settings, body, parent);
  return Response::json(tenant_json(visible_tenant(unit, uuid, parent), 0));
}

Step get_tenant(Context& context) {
  return Response::json(tenant_json(visible_tenant(context.db(), context.param("tenant_uuid"), context.tenant()), 0));
}

Step update_tenant(Context& context) {
  const std::string& tenant = context.tenant();
  const TenantBody body = changed_tenant_body(context);
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
  return Response::json(tenant_json(visible_tenant(unit, uuid, tenant), 0));
}

// Clients know this odd body: error_id and details have changed places.
Problem has_children(const std::string& uuid) {
  return Problem::a_form(400, Json::object({{"uuid", uuid}}),
                         "Unauthorized delete of tenant : \"" + uuid + "\" ; since it has at least one child",
                         "tenants");
}

Step delete_tenant(Context& context) {
  const std::string& uuid = context.param("tenant_uuid");
  if (uuid == context.tenant())
    throw Problem::a_form(403, "deleting-own-tenant-forbidden",
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
  visible_tenant(context.db(), uuid, caller_tenant(context));
  const Rows rows = context.db().run("tenants.domains", {uuid});
  const Json items = page_items(rows, [](const Rows& domains, std::size_t row) {
    return Json::object({{"name", domains.text(row, "name")}, {"uuid", domains.text(row, "uuid")}});
  });
  return Response::json(Json::object({{"total", static_cast<std::int64_t>(rows.size())}, {"items", items}}));
}

Step move_tenant(Context& context) {
  const std::string& uuid = context.param("tenant_uuid");
  const std::string& parent = context.param("parent_tenant_uuid");
  UnitOfWork& unit = context.db();
  unit.run("tree.lock");
  visible_tenant(unit, uuid, context.tenant());
  visible_tenant(unit, parent, context.tenant());
  if (unit.run("context.in_subtree", {parent, uuid}).boolean(0, "inside"))
    throw Problem::a_form(409, "conflict", "Parent (" + parent + ") is a descendent of tenant: \"" + uuid + "\"",
                          Json::object({{"uuid", uuid}, {"parent_uuid", parent}}), "tenants");
  try {
    unit.run("tree.move", {uuid, parent});
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw problems::unknown("tenant", parent);
    throw;
  }
  return Response::no_content();
}

}  // namespace

void add_tenant_routes(Router& router) {
  const std::string one = "/tenants/<tenant_uuid>";
  const std::string access = "auth.tenants.{tenant_uuid}.";
  router.add({"GET", "/tenants", "auth.tenants.read", "tenants", list_tenants, Mode::read_only});
  router.add({"POST", "/tenants", "auth.tenants.create", "tenants", create_tenant});
  router.add({"GET", one, access + "read", "tenants", get_tenant, Mode::read_only});
  router.add({"PUT", one, access + "update", "tenants", update_tenant});
  router.add({"DELETE", one, access + "delete", "tenants", delete_tenant});
  router.add({"GET", one + "/domains", access + "domains.read", "tenants", list_domains, Mode::read_only});
  router.add({"PUT", one + "/parent/<parent_tenant_uuid>", access + "parent.{parent_tenant_uuid}.update", "tenants",
              move_tenant});
}

}  // namespace wazoauth
