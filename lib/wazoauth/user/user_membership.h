// What a user belongs to: docs/spec/endpoints.md sections 9 and 10, PUT and DELETE. Groups and policies are rows of
// groups.visible and policies.visible.
#pragma once

#include <string>

#include "wazoauth/rest/context.h"

namespace wazoauth {

// Throws 403 for a group that only the server changes, 404 for what has gone meanwhile.
void add_to_group(UnitOfWork& unit, const std::string& user_uuid, const Rows& group);
void remove_from_group(UnitOfWork& unit, const std::string& user_uuid, const Rows& group);

// Throws 401 for an access that the token may not hand on or take away, 404 for what has gone meanwhile.
void attach_policy(Context& context, const std::string& user_uuid, const Rows& policy);
void detach_policy(Context& context, const std::string& user_uuid, const Rows& policy);

}  // namespace wazoauth
