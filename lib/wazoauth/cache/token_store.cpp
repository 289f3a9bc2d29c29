#include "wazoauth/cache/token_store.h"

#include <algorithm>

#include "wazoauth/base/trouble.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/load.h"
#include "wazoauth/cache/redis_cache.h"

namespace wazoauth {

namespace {
using std::chrono::milliseconds;

constexpr milliseconds unknown_for{2000};
}  // namespace

struct TokenStore::State {
  State(Zone* z, Database& d, RedisCache* r, AddressLocks* a) : zone(z), database(d), redis(r), address_locks(a) {}

  Zone* zone;
  Database& database;
  RedisCache* redis;
  AddressLocks* address_locks;
  Trouble trouble{log::Level::warning};

  Loaded unavailable() {
    if (zone) zone->node().open_breaker(BootClock::now(), breaker_time);
    return {Loaded::Status::unavailable, std::nullopt};
  }

  Loaded from_database(std::string_view token, const TokenKey& key) {
    if (zone && !zone->node().try_database(BootClock::now())) return {Loaded::Status::unavailable, std::nullopt};
    // Read before the query: what dies after this can't be brought back by its answer.
    const std::uint64_t revocations = zone ? zone->revocations() : 0;
    const std::uint32_t epoch = zone ? zone->node().epoch() : 0;
    const auto life = redis && zone ? RedisCache::usable(*zone) : std::nullopt;
    std::optional<TokenRecord> record;
    try {
      // Whoever has a token in the zone knows from where it mustn't be used.
      if (address_locks && !address_locks->known()) address_locks->refresh(database);
      UnitOfWork unit(database, Mode::read_only);
      record = load_token(unit, token);
    } catch (const Unavailable& e) {
      trouble.is(std::string("a token can't be looked up: ") + e.what());
      return unavailable();
    }
    trouble.over();
    if (zone) zone->node().close_breaker();
    if (!record) {
      if (zone) {
        // Only what was known is news for others.
        TokenFacts facts;
        if (zone->check(key, std::nullopt, facts) != Lookup::unknown) zone->forget({key});
        zone->remember_unknown(key, BootClock::now() + unknown_for);
      }
      return {Loaded::Status::unknown, std::nullopt};
    }
    if (!zone) return {Loaded::Status::found, std::move(record)};
    if (!zone->insert(key, *record, BootClock::now(), revocations, epoch)) {
      // Refused because of a death, or because it is too large for the zone: a tombstone tells which.
      TokenFacts facts;
      if (zone->check(key, std::nullopt, facts) == Lookup::revoked) return {Loaded::Status::unknown, std::nullopt};
    } else if (life && RedisCache::usable(*zone) == life && !zone->changed(key)) {
      redis->put(key, *record, unix_seconds(), *life);
    }
    return {Loaded::Status::found, std::move(record)};
  }

  std::optional<Loaded> from_redis(const TokenKey& key) {
    const auto life = redis && zone ? RedisCache::usable(*zone) : std::nullopt;
    if (!life) return std::nullopt;
    const std::uint64_t revocations = zone->revocations();
    const std::uint32_t epoch = zone->node().epoch();
    if (zone->changed(key)) return std::nullopt;
    RedisCache::Found found = redis->get(key, *life);
    // Not good any more, or another life: deaths may have been missed since the record was written.
    if (RedisCache::usable(*zone) != life) return std::nullopt;
    if (found.dead) return Loaded{Loaded::Status::unknown, std::nullopt};
    if (!found.record) return std::nullopt;
    if (!zone->insert(key, *found.record, BootClock::now(), revocations, epoch)) return std::nullopt;
    return Loaded{Loaded::Status::found, std::move(found.record)};
  }
};

TokenStore::TokenStore(Zone* zone, Database& database, RedisCache* redis, AddressLocks* address_locks)
    : state_(std::make_unique<State>(zone, database, redis, address_locks)) {}
TokenStore::~TokenStore() = default;

Loaded TokenStore::load(std::string_view token) {
  const TokenKey key = token_key(token);
  if (auto loaded = state_->from_redis(key)) return std::move(*loaded);
  return state_->from_database(token, key);
}

Loaded TokenStore::revalidate(std::string_view token) {
  return state_->from_database(token, token_key(token));
}

const Zone* TokenStore::zone() const {
  return state_->zone;
}

std::optional<TokenRecord> TokenStore::in_zone(const TokenKey& key) const {
  auto full = state_->zone->find(key);
  if (!full) return std::nullopt;
  TokenRecord record = std::move(full->record);
  if (const auto list = Json::parse(full->acl_json)) {
    for (const Json& access : list->items()) record.acl.emplace_back(access.text());
  }
  return record;
}

}  // namespace wazoauth
