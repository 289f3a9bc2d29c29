// Where a token's facts come from when the event loop can't answer by itself: zone, Redis, PostgreSQL, in this order,
// without ever bringing a revoked token back (docs/ARCHITECTURE.md, "Revocation", and docs/operations.md).
//
// load() and revalidate() block: call them on a thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class AddressLocks;
class RedisCache;

struct Loaded {
  enum class Status { found, unknown, unavailable } status = Status::unavailable;
  std::optional<TokenRecord> record;  // when found (also an expired one: the caller judges)
};

class TokenStore {
 public:
  // `zone`, `redis` and `address_locks` may be null. `database`: connections for loads only.
  TokenStore(Zone* zone, Database& database, RedisCache* redis, AddressLocks* address_locks = nullptr);
  ~TokenStore();

  // A token that isn't in the zone: Redis (when it may be believed), then PostgreSQL. The result enters the zone;
  // unknown tokens are remembered for 2 s; an outage leaves nothing behind but the circuit breaker.
  Loaded load(std::string_view token);
  // A token that is in the zone but has to be confirmed: PostgreSQL only.
  Loaded revalidate(std::string_view token);

  const Zone* zone() const;                                       // null: nothing is cached
  std::optional<TokenRecord> in_zone(const TokenKey& key) const;  // however fresh; nullopt: not whole in the zone

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
