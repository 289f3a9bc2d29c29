// Credentials that were proved a short while ago, so that who logs in again and again isn't hashed again and again.
//
// An entry is a MAC of the user, the password and what the database has stored for them, by a random key that no other
// process has: the row that each login reads anyway decides, so a password that was changed here, by another nginx or
// by the Python daemon is not remembered. Whether the user is enabled, locked or gone is for the login to find out, as
// always. Key and MACs are in memory that is never swapped, and is part of no core dump.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string_view>

#include "wazoauth/base/clock.h"

namespace wazoauth {

struct Proof {
  std::string_view user_uuid, password, stored_hash, stored_salt;
};

class LoginMemory {
 public:
  // 0: it remembers nothing. Nor does it, and says so in the log, where the system has no such memory to give.
  explicit LoginMemory(std::chrono::minutes lifetime);
  ~LoginMemory();
  LoginMemory(const LoginMemory&) = delete;
  LoginMemory& operator=(const LoginMemory&) = delete;

  // From any thread.
  bool knows(const Proof& proof, BootTime now) const;
  void remember(const Proof& proof, BootTime now);  // the oldest of its neighbours leaves for it

  static constexpr std::size_t most = 1024;  // entries

 private:
  struct Contents;
  const std::chrono::minutes lifetime_;
  mutable std::mutex mutex_;
  Contents* contents_ = nullptr;  // null: it remembers nothing
};

}  // namespace wazoauth
