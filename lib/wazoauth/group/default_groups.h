// The groups that every tenant has: the all-users group and those of the configuration (docs/spec/endpoints.md sections
// 11, 19).
#pragma once

#include <optional>
#include <string>

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// Each makes what is missing and attaches policies, in one tenant or, with none given, in all.

// A tenant that lacks its all-users group gets it, with all its users in it, and a warning is logged unless the tenant
// is new.
void ensure_all_users_group(UnitOfWork& unit, const Settings& settings, const std::optional<std::string>& tenant_uuid,
                            bool new_tenant = false);

// For a tenant that was just created: the all-users group and the configured groups.
void ensure_default_groups(UnitOfWork& unit, const Settings& settings, const std::string& new_tenant_uuid);

// The configured groups only.
void ensure_configured_groups(UnitOfWork& unit, const Settings& settings,
                              const std::optional<std::string>& tenant_uuid);

}  // namespace wazoauth
