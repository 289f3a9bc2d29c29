// The list of a user's addresses: docs/spec/endpoints.md section 8.
#pragma once

#include <set>
#include <string>

#include "wazoauth/http/schema.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// The caller: a user decides about addresses, an administrator also about their confirmation.
enum class Asker { user, administrator };
Schema emails_body(Asker asker);  // {"emails": [...]}

// Makes `emails`, as the body has them, all that the user has. Returns the addresses that are new. Throws the
// documented 404 and 409.
std::set<std::string> replace_addresses(UnitOfWork& unit, const std::string& user_uuid, const std::string& tenant,
                                        const Json& emails);

}  // namespace wazoauth
