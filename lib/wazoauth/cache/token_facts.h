// The facts of a token that readers of the zone get, without its record.
#pragma once

#include <cstdint>
#include <vector>

#include "wazoauth/base/clock.h"
#include "wazoauth/store/token_key.h"

namespace wazoauth {

// The fixed facts of a token, copied out of its slot: no pointers into the zone, no allocation.
struct TokenFacts {
  std::int64_t expire_t = 0;  // Unix seconds, 0: never
  BootTime validated_at;      // when PostgreSQL last confirmed it
  std::uint32_t epoch = 0;    // the zone's epoch when it was confirmed
  char auth_id[40] = {};      // NUL-terminated texts; a longer one makes the token uncacheable
  char user_uuid[40] = {};    // metadata.uuid, "" when absent
  char tenant_uuid[40] = {};  // metadata.tenant_uuid, "" when absent
  char session_uuid[40] = {};
  char refresh_token_uuid[40] = {};  // "" when none
};

// The zone's entry for a key, before anybody judges how fresh it is.
enum class Lookup { unknown, revoked, denied, granted };

// Keys that the ring of revocations has noted since some position.
struct RevokedKeys {
  std::vector<TokenKey> keys;
  std::uint64_t position;
  bool lost;
};

}  // namespace wazoauth
