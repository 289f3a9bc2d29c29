#include "wazoauth/tenant/new_tenant.h"

#include "wazoauth/base/uuid.h"
#include "wazoauth/group/default_groups.h"
#include "wazoauth/http/slug.h"
#include "wazoauth/store/event.h"

namespace wazoauth {

namespace {

Problem domains_taken(const std::vector<std::string>& names) {
  const std::string text =
      "Domain name : \"" + python_literal(Json::strings(names)) + "\" is already in use, no duplicates allowed";
  const Json detail = Json::object({{"constraint-id", "unique"}, {"message", text}});
  return Problem::with_error_id(409, "conflict", "Conflict detected", Json::object({{"domain_names", detail}}),
                                "tenants");
}

// The row, and its slug. Two tenants of similar names may be made at once and want the same slug: only one that was
// given can be a conflict.
std::string write_row(UnitOfWork& unit, const TenantBody& body, const std::string& uuid, const std::string& parent) {
  const bool slug_is_given = body.json.get("slug").is_string();
  for (int tries = 1;; ++tries) {
    std::string slug = slug_of(body.json, short_slug, [&](const std::string& candidate) {
      return unit.run("tenants.slug_taken", {candidate}).boolean(0, "taken");
    });
    try {
      unit.savepoint([&] {
        unit.run("tenants.create", {uuid, parent, body.name, slug, body.contact, body.phone, body.method});
      });
      return slug;
    } catch (const ConstraintViolation& e) {
      if (e.constraint != "auth_tenant_slug_key" || slug_is_given || tries == 3)
        throw tenant_problem(e, body, uuid, slug, parent);
    }
  }
}

}  // namespace

Problem tenant_problem(const ConstraintViolation& e, const TenantBody& body, const std::string& uuid,
                       const std::string& slug, const std::string& parent) {
  if (e.constraint == "auth_tenant_pkey")
    return problems::conflict("tenants", "uuid", "A tenant with identity uuid=\"" + uuid + "\" already exists",
                              "Tenant Conflict detected", "tenant-identity-conflict");
  if (e.constraint == "auth_tenant_slug_key")
    return problems::conflict("tenants", "slug", "The slug \"" + slug + "\" is already used");
  if (e.constraint == "auth_tenant_domain_name_key") return domains_taken(body.domain_names);
  if (e.constraint == "auth_tenant_contact_uuid_fkey") return problems::unknown("user", body.contact.value_or(""));
  if (e.constraint == "auth_tenant_parent_uuid_fkey") return problems::unauthorized_tenant(parent);
  throw e;
}

void write_tenant_address(UnitOfWork& unit, const std::string& uuid, const TenantBody& body) {
  if (!body.has_address()) return;
  std::vector<Param> params = {uuid};
  params.insert(params.end(), body.address.begin(), body.address.end());
  unit.run("tenants.set_address", params);
}

std::string add_tenant(UnitOfWork& unit, const Settings& settings, const TenantBody& body, const std::string& parent) {
  std::string uuid = body.uuid.value_or(new_uuid());
  const std::string slug = write_row(unit, body, uuid, parent);
  try {
    unit.run("tenants.add_domains", {uuid, Param(body.domain_names)});
  } catch (const ConstraintViolation& e) {
    throw tenant_problem(e, body, uuid, slug, parent);
  }
  write_tenant_address(unit, uuid, body);
  unit.publish(events::tenant_added(uuid, body.name, slug, body.domain_names));
  ensure_default_groups(unit, settings, uuid);
  return uuid;
}

}  // namespace wazoauth
