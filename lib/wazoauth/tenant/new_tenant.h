// Making a tenant: docs/spec/endpoints.md section 14.2, POST.
#pragma once

#include <string>

#include "wazoauth/config/settings.h"
#include "wazoauth/tenant/tenant_body.h"

namespace wazoauth {

// With its domains, its address, its groups and its event. Returns its uuid. Throws the documented 404 and 409.
std::string add_tenant(UnitOfWork& unit, const Settings& settings, const TenantBody& body, const std::string& parent);

// The documented answer to a constraint that a tenant's rows violate.
Problem tenant_problem(const ConstraintViolation& violation, const TenantBody& body, const std::string& uuid,
                       const std::string& slug = {}, const std::string& parent = {});

void write_tenant_address(UnitOfWork& unit, const std::string& uuid, const TenantBody& body);

}  // namespace wazoauth
