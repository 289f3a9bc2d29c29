// Token records shared by the nginx of a platform, in Redis. A cache and nothing more: every call may fail, and then
// answers as if nothing were there.
//
// Keys: wazo-auth:<life>:<sha256 of the token>. A new life leaves all earlier records unread: see node.life in
// sql/queries. A revoked token becomes a tombstone that stays until it would have expired.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "wazoauth/cache/life.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth {

class RedisCache {
 public:
  // unix:/path, redis://[[user]:password@]host[:port][/database], host:port. Throws std::invalid_argument.
  explicit RedisCache(const std::string& uri);
  ~RedisCache();

  // The life that may be believed now: LISTEN is known good, no tombstone was lost, the life is known.
  static std::optional<RedisLife> usable(const Zone& zone);

  // Which server this is, and which database there; after a restart it is another one: what it has may come from a
  // snapshot. Asked every time. nullopt: it is away.
  std::optional<std::uint64_t> server();

  // All of these do nothing while this isn't the server that `in` names.
  struct Found {
    bool dead = false;
    std::optional<TokenRecord> record;
  };
  Found get(const TokenKey& key, const RedisLife& in);
  // Never over what is there.
  void put(const TokenKey& key, const TokenRecord& record, std::int64_t now, const RedisLife& in);
  // False: not done, try again later. `expire_t` 0: kept for a year.
  bool bury(const TokenKey& key, std::int64_t expire_t, const RedisLife& in);
  // The same for a token that lives on with other facts: nothing is cached for it any more.
  bool disown(const TokenKey& key, std::int64_t expire_t, const RedisLife& in);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth
