#include "wazoauth/cache/token_store.h"

#include <algorithm>

#include "wazoauth/base/log.h"
#include "wazoauth/cache/load.h"
#include "wazoauth/cache/redis_cache.h"

namespace wazoauth {

namespace {
using std::chrono::milliseconds;

constexpr milliseconds revalidate_after{1000};  // how often a token is confirmed while LISTEN isn't known good
constexpr milliseconds unknown_for{2000};
constexpr milliseconds breaker{100};  // then one asks for all, see Zone::try_database()
}  // namespace

BootTime known_good(const Zone& zone, const TokenFacts& facts) {
  if (facts.epoch != zone.epoch()) return facts.validated_at;
  return std::max(zone.last_good(), facts.validated_at);
}

Freshness judge(const Zone& zone, const TokenFacts& facts, BootTime now, std::int64_t grace_ms) {
  const bool same_epoch = facts.epoch == zone.epoch();
  if (same_epoch && (zone.listening(now) || now - facts.validated_at <= revalidate_after)) return Freshness::good;
  if (!zone.database_away(now)) return Freshness::revalidate;
  return now - known_good(zone, facts) <= milliseconds(grace_ms) ? Freshness::grace : Freshness::too_old;
}

struct TokenStore::State {
  Zone* zone;
  Database& database;
  RedisCache* redis;

  Loaded unavailable() {
    if (zone) zone->open_breaker(BootClock::now(), breaker);
    return {Loaded::Status::unavailable, std::nullopt};
  }

  Loaded from_database(std::string_view token, const TokenKey& key) {
    if (zone && !zone->try_database(BootClock::now())) return {Loaded::Status::unavailable, std::nullopt};
    // Read before the query: what dies after this can't be brought back by its answer.
    const std::uint64_t revocations = zone ? zone->revocations() : 0;
    const std::uint32_t epoch = zone ? zone->epoch() : 0;
    const auto life = redis && zone ? RedisCache::usable(*zone) : std::nullopt;
    std::optional<TokenRecord> record;
    try {
      UnitOfWork unit(database, Mode::read_only);
      record = load_token(unit, token);
    } catch (const Unavailable& e) {
      log::warning(std::string("a token can't be looked up: ") + e.what());
      return unavailable();
    }
    if (zone) zone->close_breaker();
    if (!record) {
      if (zone) {
        // Only what was known is news for others.
        TokenFacts facts;
        if (zone->check(key, std::nullopt, facts) != Verdict::unknown) zone->forget({key});
        zone->remember_unknown(key, BootClock::now() + unknown_for);
      }
      return {Loaded::Status::unknown, std::nullopt};
    }
    if (!zone) return {Loaded::Status::found, std::move(record)};
    if (!zone->insert(key, *record, BootClock::now(), revocations, epoch)) {
      // Refused because of a death, or because it is too large for the zone: a tombstone tells which.
      TokenFacts facts;
      if (zone->check(key, std::nullopt, facts) == Verdict::revoked) return {Loaded::Status::unknown, std::nullopt};
    } else if (life && RedisCache::usable(*zone) == life && !zone->changed(key)) {
      redis->put(key, *record, unix_seconds(), *life);
    }
    return {Loaded::Status::found, std::move(record)};
  }

  std::optional<Loaded> from_redis(const TokenKey& key) {
    const auto life = redis && zone ? RedisCache::usable(*zone) : std::nullopt;
    if (!life) return std::nullopt;
    const std::uint64_t revocations = zone->revocations();
    const std::uint32_t epoch = zone->epoch();
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

TokenStore::TokenStore(Zone* zone, Database& database, RedisCache* redis)
    : state_(std::make_unique<State>(State{zone, database, redis})) {}
TokenStore::~TokenStore() = default;

Loaded TokenStore::load(std::string_view token) {
  const TokenKey key = token_key(token);
  if (auto loaded = state_->from_redis(key)) return std::move(*loaded);
  return state_->from_database(token, key);
}

Loaded TokenStore::revalidate(std::string_view token) {
  return state_->from_database(token, token_key(token));
}

Loaded TokenStore::find(std::string_view token) {
  Zone* zone = state_->zone;
  if (!zone) return load(token);
  const TokenKey key = token_key(token);
  TokenFacts facts;
  const Verdict verdict = zone->check(key, std::nullopt, facts);
  if (verdict == Verdict::revoked) return {Loaded::Status::unknown, std::nullopt};
  if (verdict == Verdict::unknown) return load(token);
  // The API works on the database, so no grace: what can't be confirmed can't be served either.
  if (judge(*zone, facts, BootClock::now(), 0) == Freshness::good) {
    if (auto full = zone->find(key)) {
      TokenRecord record = std::move(full->record);
      const auto list = Json::parse(full->acl_json);
      for (const Json& access : list ? list->items() : std::vector<Json>()) record.acl.emplace_back(access.text());
      return {Loaded::Status::found, std::move(record)};
    }
    return load(token);
  }
  return revalidate(token);
}

}  // namespace wazoauth
