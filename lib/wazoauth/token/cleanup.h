// Tokens that expire: docs/spec/endpoints.md section 19, docs/spec/events.md section 4.
#pragma once

#include <cstdint>
#include <functional>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// Deletes what expired before `now` (Unix seconds), with its sessions, in transactions of `batch` tokens. Returns the
// number of tokens. Stops between two transactions when `keep_going` returns false. Throws Unavailable.
std::int64_t clean_expired(Database& database, std::int64_t now, std::int64_t batch,
                           const std::function<bool()>& keep_going);

// Publishes auth_session_expire_soon for every token that expires within `interval` seconds. Throws Unavailable.
void announce_expiring(Database& database, std::int64_t now, std::int64_t interval,
                       const std::function<bool()>& keep_going);

}  // namespace wazoauth
