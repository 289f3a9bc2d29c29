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

// The canonical form in lower case as 16 bytes, and back. False: the text isn't one.
constexpr std::size_t uuid_bytes = 16, uuid_chars = 36;
bool pack_uuid(std::string_view text, char* to);
void unpack_uuid(const char* bytes, char* to);

}  // namespace wazoauth
