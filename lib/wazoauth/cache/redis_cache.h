// Token records shared by the nginx of a platform, in Redis. A cache and nothing more: every call may fail, and then
// answers as if nothing were there.
//
// Keys: wazo-auth:<run_id of the server>:<generation>:<sha256 of the token>. The run_id keeps a restored snapshot or a
// promoted replica from being believed, the generation (wazo_auth.redis_generation) whatever was written before nobody
// wrote tombstones for a while. A killed token becomes a tombstone that stays until it would have expired.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth {

class RedisCache {
 public:
  // unix:/path, redis://[user:password@]host:port[/database], host:port. Throws std::invalid_argument.
  explicit RedisCache(const std::string& uri);
  ~RedisCache();

  // May what Redis says be believed now? LISTEN is known good, no tombstone was lost, the generation is known.
  bool usable(const Zone& zone) const;

  struct Found {
    bool dead = false;
    std::optional<TokenRecord> record;
  };
  Found get(const TokenKey& key);
  void put(const TokenKey& key, const TokenRecord& record, std::int64_t now);  // never over what is there
  // False: Redis is away, try again later. `expire_t` 0: kept for a year.
  bool bury(const TokenKey& key, std::int64_t expire_t, std::uint64_t generation);
  // The same for a token that lives on with other facts: nothing is cached for it any more.
  bool disown(const TokenKey& key, std::int64_t expire_t, std::uint64_t generation);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
