// Questions about a token that the zone can answer at once: HEAD and GET /token/{t}, POST /token/{t}/scopes/check.
#pragma once

#include <cstdint>
#include <optional>

#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/http.h"

namespace wazoauth {

// For the event loop: never blocks. nullopt whenever a thread has to look closer: another request, a token that isn't
// in the zone or has to be confirmed, an address that is locked for some, a tenant that isn't the token's own, an
// invalid or very long request.
std::optional<Response> answer_from_zone(const Zone& zone, const AddressLocks* address_locks, const Settings& settings,
                                         std::int64_t grace_ms, const Request& request);

}  // namespace wazoauth
