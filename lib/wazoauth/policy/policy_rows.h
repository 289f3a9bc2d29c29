// Policies as rows and as objects of the API, and who may put what into them.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/rest/context.h"

namespace wazoauth {

const std::shared_ptr<const Schema>& policy_shape();  // of rows of sql/queries/policies.sql

std::vector<std::string> accesses_of(const Rows& rows, std::size_t row);

// The policy that the path names by <policy_uuid> or by <policy_slug>, as the scoping tenant sees it: by uuid with its
// subtree, by slug alone. R404 when it isn't visible.
Rows visible_policy(Context& context);
Rows visible_policy(Context& context, const std::string& uuid);  // likewise, of that uuid
// The policy of that uuid or slug, as the scoping tenant sees it without its subtree; else R404.
Rows policy_of_tenant(Context& context, const std::string& name);
bool names_policy_by_slug(const Context& context);
Problem unknown_policy(std::string_view uuid);  // R404 as a foreign key reports it

// Delegation (docs/spec/acl.md section 4): 401 for the first access that the token may not put in or take out.
void require_may_add(const Context& context, const std::vector<std::string>& accesses);
void require_may_remove(const Context& context, const std::vector<std::string>& accesses);

// Adds accesses; those that the policy has already are left alone. Returns how many are new.
std::size_t add_accesses(UnitOfWork& unit, const std::string& policy_uuid, const std::vector<std::string>& accesses);
// Makes `accesses` all that the policy has.
void set_accesses(UnitOfWork& unit, const std::string& policy_uuid, const std::vector<std::string>& accesses);

}  // namespace wazoauth
