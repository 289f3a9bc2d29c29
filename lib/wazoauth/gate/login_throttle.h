// Slows down who guesses passwords: per address prefix, and per (prefix, login), never per login alone, which would let
// anybody lock out anybody.
//
// Lies in memory that all workers of an nginx share, in atomics only: a lost race costs one count. The table is small
// and the oldest entries leave, so that nothing has to be cleaned.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth::gate {

class LoginThrottle {
 public:
  static constexpr std::size_t size = (2048 + 1) * 32;  // bytes of memory, aligned for 64-bit values

  static void format(void* memory);  // once; throws std::runtime_error when the system has no random bytes
  explicit LoginThrottle(void* memory) : memory_(memory) {}

  // Milliseconds that a login has to wait before its password is looked at; nullopt: refuse it, too many wait already.
  // `address`: IPv4 counts whole, IPv6 by its first 64 bits. `login`: "" for a try that names none.
  // `boot_ms`: milliseconds of BootClock, which nobody sets.
  std::optional<std::int64_t> delay(std::string_view address, std::string_view login, std::int64_t boot_ms);
  void failed(std::string_view address, std::string_view login, std::int64_t boot_ms);
  void succeeded(std::string_view address, std::string_view login);

 private:
  struct Entry;
  struct Rule;
  static const Rule of_login, of_prefix;

  Entry* find(std::uint64_t key) const;
  Entry& claim(std::uint64_t key);
  std::uint64_t hash(std::string_view address, std::string_view login) const;
  std::optional<std::int64_t> reserve(std::uint64_t key, const Rule& rule, std::int64_t now_ms);
  void count(std::uint64_t key, const Rule& rule, std::int64_t now_ms);

  void* memory_;
};

// The login of a Basic "Authorization" header, in UTF-8; "" when it isn't one.
std::string basic_login(std::string_view authorization);

}  // namespace wazoauth::gate
