// A token as everybody but its holder knows it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

using TokenKey = std::array<unsigned char, 32>;  // SHA-256 of the token's text

TokenKey token_key(std::string_view token);
std::string to_hex(const TokenKey& key);                     // 64 lower-case digits
std::optional<TokenKey> key_from_hex(std::string_view hex);  // nullopt: not 64 lower-case digits

}  // namespace wazoauth
