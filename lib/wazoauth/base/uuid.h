// UUIDs as texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

std::string new_uuid();                // version 4, lower case; throws std::runtime_error as random_bytes() does
bool is_uuid(std::string_view text);   // canonical 8-4-4-4-12, any version, any case
bool is_uuid4(std::string_view text);  // canonical, lower case, version 4

// The canonical form, in lower case, of what Python's uuid.UUID() reads: without dashes, in braces, as a URN. nullopt
// for anything else.
std::optional<std::string> canonical_uuid(std::string_view text);

}  // namespace wazoauth
