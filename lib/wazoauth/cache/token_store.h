// Where a token's facts come from when the event loop can't answer by itself: zone, Redis, PostgreSQL, in this order,
// without ever bringing a revoked token back (docs/ARCHITECTURE.md, "Revocation", and docs/operations.md).
//
// load(), revalidate() and successor() block: call them on a thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/base/clock.h"
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

// Whose token it was, when one looks for the next: what a token tells of the client that got it.
struct TokenClient {
  std::string auth_id, session_uuid, user_agent;
  std::optional<std::string> refresh_token_uuid;
  std::int64_t issued_t = 0;  // of the token

  static TokenClient of(const TokenRecord& record);
};

struct Successor {
  Loaded::Status status = Loaded::Status::unavailable;
  std::string token;  // when found
  TokenRecord record;
};

class TokenStore {
 public:
  // `zone`, `redis` and `address_locks` may be null. `database`: connections for loads only.
  TokenStore(Zone* zone, Database& database, RedisCache* redis, AddressLocks* address_locks = nullptr);
  ~TokenStore();

  // A token that isn't in the zone: Redis (when it may be believed), then PostgreSQL. The result enters the zone;
  // unknown tokens are remembered for 2 s; an outage leaves nothing behind but the circuit breaker. `asked`: since when
  // somebody waits for it; whoever waited while another load found PostgreSQL away doesn't ask again.
  Loaded load(std::string_view token, BootTime asked = BootClock::now());
  // A token that is in the zone but has to be confirmed: PostgreSQL only.
  Loaded revalidate(std::string_view token, BootTime asked = BootClock::now());
  // A live token that the same client got since `token`, and that grants the access: of the same refresh token or
  // session, or of the same user and user agent unless both have refresh tokens. PostgreSQL only; it enters the zone.
  Successor successor(std::string_view token, const TokenClient& client, std::optional<std::string_view> required);

  const Zone* zone() const;                                           // null: nothing is cached
  std::optional<TokenRecord> in_zone(const ShownToken& token) const;  // however fresh; nullopt: not whole in the zone

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
