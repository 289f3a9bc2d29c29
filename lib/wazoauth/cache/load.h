// A token's facts as PostgreSQL has them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

// After a read that PostgreSQL didn't answer: then one asks for all, see Zone::try_database().
inline constexpr std::chrono::milliseconds breaker_time{100};

// One statement; nullopt for an unknown token, whatever its text is. Expired ones are found: the caller judges. A time
// of 0 means the same as none, and metadata that is no JSON object reads as {}. Throws Unavailable.
std::optional<TokenRecord> load_token(UnitOfWork& unit, std::string_view token);

}  // namespace wazoauth
