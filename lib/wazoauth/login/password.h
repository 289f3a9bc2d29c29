// Passwords as the database stores them: PBKDF2-HMAC-SHA512, docs/spec/endpoints.md section 3.2.
//
// One hash is 250,000 iterations, 60-100 ms of CPU: only on threads of the cpu lane.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

// 64 bytes of derived key as 128 lower-case hexadecimal characters. `salt` is raw bytes, `iterations` at least 1.
std::string hash_password(std::string_view password, std::string_view salt, int iterations = 250000);

std::string random_salt();  // 64 raw bytes; throws std::runtime_error when the system has no random ones

// Constant time for a given length of the password, whatever the stored hash is.
bool verify_password(std::string_view password, std::string_view stored_hash_hex, std::string_view salt);

// Spends the time of verify_password(), so that unknown logins take as long as known ones.
void burn_equal_time(std::string_view password);

}  // namespace wazoauth
