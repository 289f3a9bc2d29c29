// Passwords as the database stores them: PBKDF2-HMAC-SHA512, docs/spec/endpoints.md section 3.2.
//
// One hash is 250,000 iterations, 60-100 ms of CPU: only on threads of the lane `hashing`. Several together take much
// less than one after the other.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/sha512_lanes.h"

namespace wazoauth {

constexpr int password_iterations = 250000;

// `hash`, once it is known: 64 bytes of derived key as 128 lower-case hexadecimal characters. `salt` is raw bytes.
struct PasswordToHash {
  std::string password, salt, hash;
};

// How many of those that wait are best hashed together, at least 1. Never more than the CPU has lanes: that would be no
// cheaper, and the first would wait for the last.
std::size_t hashed_together(std::size_t waiting);

// Fills in the hashes of all, hashed_together() at a time. `iterations` at least 1.
void hash_passwords(std::span<PasswordToHash* const> passwords, int iterations = password_iterations);

// The same by this kernel, for as many as it has lanes at most.
void hash_passwords_by(const Sha512Lanes& kernel, std::span<PasswordToHash* const> passwords, int iterations);

// Whether its hashes are those of OpenSSL's PKCS5_PBKDF2_HMAC: what isn't right is never used.
bool hashes_right(const Sha512Lanes& kernel);

std::string hash_password(std::string_view password, std::string_view salt, int iterations = password_iterations);

std::string random_salt();  // 64 raw bytes; throws std::runtime_error when the system has no random ones

// In constant time. False when nothing is stored.
bool is_stored_hash(std::string_view hash, std::string_view stored);

}  // namespace wazoauth
