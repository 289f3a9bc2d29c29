// Where a token's facts come from when the event loop can't answer by itself: zone, Redis, PostgreSQL, in this order,
// without ever bringing a revoked token back (docs/ARCHITECTURE.md, "Revocation", and docs/operations.md).
//
// Everything here blocks, but for judge(): call it on a thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class RedisCache;

// May this copy of a token be used now? Never blocks.
enum class Freshness {
  good,        // yes
  revalidate,  // ask PostgreSQL first (another epoch, or LISTEN isn't known good and the last check is over 1 s old)
  grace,       // PostgreSQL is known to be away (circuit breaker): yes, within the grace
  too_old,     // ... and the grace is over: 503
};
// When this copy was last known to be right: what LISTEN tells counts only since the copy's epoch, a token of another
// one may have died while nobody listened.
BootTime known_good(const Zone& zone, const TokenFacts& facts);
Freshness judge(const Zone& zone, const TokenFacts& facts, BootTime now, std::int64_t grace_ms);

struct Loaded {
  enum class Status { found, unknown, unavailable } status = Status::unavailable;
  std::optional<TokenRecord> record;  // when found (also an expired one: the caller judges)
};

class TokenStore {
 public:
  // `zone` and `redis` may be null. `database`: connections for loads only.
  TokenStore(Zone* zone, Database& database, RedisCache* redis);
  ~TokenStore();

  // A token that isn't in the zone: Redis (when it may be believed), then PostgreSQL. The result enters the zone;
  // unknown tokens are remembered for 2 s; an outage leaves nothing behind but the circuit breaker.
  Loaded load(std::string_view token);
  // A token that is in the zone but has to be confirmed: PostgreSQL only.
  Loaded revalidate(std::string_view token);
  // Zone if it may be used, else load or revalidate. For the API's own token check.
  Loaded find(std::string_view token);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
