// Times as ISO 8601 writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

// "2026-11-28T23:10:00+01:00" in Unix seconds; a fraction is cut off. 'Z' and no offset mean UTC, a blank may stand for
// 'T', and the seconds may be missing. nullopt for anything else.
std::optional<std::int64_t> parse_iso_time(std::string_view text);
std::string iso_time(std::int64_t unix_seconds);  // "2026-01-31T12:00:00+00:00"

}  // namespace wazoauth
