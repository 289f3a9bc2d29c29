// Groups as rows and as objects of the API.
#pragma once

#include "wazoauth/rest/context.h"

namespace wazoauth {

const std::shared_ptr<const Schema>& group_shape();

// The group of the path's <group_uuid>, or of this one, if its tenant is the scoping tenant or below it; else 404.
Rows visible_group(Context& context);
Rows visible_group(Context& context, const std::string& uuid);

// 403 for a group that only the server changes.
void refuse_system_group(const Rows& group);

}  // namespace wazoauth
