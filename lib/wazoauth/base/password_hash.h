// Passwords as the database stores them: PBKDF2-HMAC-SHA512, docs/spec/endpoints.md section 3.2.
//
// One hash is 250,000 iterations, 60-100 ms of CPU: only on threads of the lane `hashing`. Several side by side take
// much less than one after the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "wazoauth/base/sha512_lanes.h"

namespace wazoauth {

constexpr int password_iterations = 250000;

// `hash`, once it is known: 64 bytes of derived key as 128 lower-case hexadecimal characters. `salt` is raw bytes.
struct PasswordToHash {
  std::string password, salt, hash;
};

// Passwords that are hashed side by side, in as many lanes as the CPU has. Each may join at any time, and leaves when
// its hash is known: nobody waits for another to begin or to end. For one thread.
class PasswordLanes {
 public:
  PasswordLanes() = default;
  // This kernel alone is used: its hashes are what is in question.
  explicit PasswordLanes(const Sha512Lanes& kernel) : only_(&kernel) {}
  ~PasswordLanes();
  PasswordLanes(const PasswordLanes&) = delete;
  PasswordLanes& operator=(const PasswordLanes&) = delete;

  bool empty() const { return used_ == 0; }
  bool has_room() const;
  // There is room. `password` stays where it is until its hash is there. `iterations` at least 1.
  void join(PasswordToHash& password, int iterations = password_iterations);
  // Goes on for less than a millisecond. Those who are done have their hash, and have left.
  void advance();

 private:
  struct Lane {
    PasswordToHash* password;
    std::array<std::uint64_t, 8> inner, outer, value, sum;
    int left;  // iterations
  };
  const Sha512Lanes& kernel() const;
  void iterate(const Sha512Lanes& kernel, std::span<Lane> lanes, int times);
  void leave();

  const Sha512Lanes* only_ = nullptr;
  std::array<Lane, most_sha512_lanes> lanes_;  // those in use first, in the order in which they joined
  std::size_t used_ = 0;
};

// Whether its hashes are those of OpenSSL's PKCS5_PBKDF2_HMAC: what isn't right is never used.
bool hashes_right(const Sha512Lanes& kernel);

std::string hash_password(std::string_view password, std::string_view salt, int iterations = password_iterations);

std::string random_salt();  // 64 raw bytes; throws std::runtime_error when the system has no random ones

// In constant time. False when nothing is stored.
bool is_stored_hash(std::string_view hash, std::string_view stored);

}  // namespace wazoauth
