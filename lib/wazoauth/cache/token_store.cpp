#include "wazoauth/cache/token_store.h"

#include <algorithm>
#include <chrono>

#include "wazoauth/base/log.h"
#include "wazoauth/cache/load.h"
#include "wazoauth/cache/redis_cache.h"

namespace wazoauth {

namespace {
constexpr std::int64_t listen_good_ms = 2000;       // a heartbeat older than that proves nothing
constexpr std::int64_t revalidate_after_ms = 1000;  // how often a token is confirmed while LISTEN isn't known good
constexpr std::int64_t unknown_for_ms = 2000;
constexpr std::int64_t breaker_ms = 100;  // then one asks for all, see Zone::try_database()
constexpr std::int64_t probe_ms = 3000;   // longer than a load may take
}  // namespace

std::int64_t unix_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

std::int64_t unix_seconds() {
  return unix_ms() / 1000;
}

std::int64_t known_good_ms(const Zone& zone, const TokenFacts& facts) {
  if (facts.epoch != zone.epoch()) return facts.validated_at_ms;
  return std::max(zone.last_good_ms(), facts.validated_at_ms);
}

Freshness judge(const Zone& zone, const TokenFacts& facts, std::int64_t now_ms, std::int64_t grace_ms) {
  const std::int64_t last_good = zone.last_good_ms();
  const bool listening = now_ms - last_good <= listen_good_ms;
  const bool same_epoch = facts.epoch == zone.epoch();
  if (same_epoch && (listening || now_ms - facts.validated_at_ms <= revalidate_after_ms)) return Freshness::good;
  if (now_ms >= zone.database_down_until_ms()) return Freshness::revalidate;
  return now_ms <= known_good_ms(zone, facts) + grace_ms ? Freshness::grace : Freshness::too_old;
}

struct TokenStore::State {
  Zone* zone;
  Database& database;
  RedisCache* redis;

  Loaded unavailable() {
    if (zone) zone->set_database_down_until_ms(unix_ms() + breaker_ms);
    return {Loaded::Status::unavailable, std::nullopt};
  }

  Loaded from_database(std::string_view token, const TokenKey& key) {
    if (zone && !zone->try_database(unix_ms(), probe_ms)) return {Loaded::Status::unavailable, std::nullopt};
    // Read before the query: what dies after this can't be brought back by its answer.
    const std::uint64_t revocations = zone ? zone->revocations() : 0;
    const std::uint32_t epoch = zone ? zone->epoch() : 0;
    const bool shares = redis && zone && redis->usable(*zone);
    std::optional<TokenRecord> record;
    try {
      UnitOfWork unit(database, Mode::read_only);
      record = load_token(unit, token);
    } catch (const Unavailable& e) {
      log::warning(std::string("a token can't be looked up: ") + e.what());
      return unavailable();
    }
    if (zone) zone->set_database_down_until_ms(0);
    if (!record) {
      if (zone) {
        // Only what was known is news for others.
        TokenFacts facts;
        if (zone->check(key, std::nullopt, facts) != Verdict::unknown) zone->forget({key});
        zone->remember_unknown(key, unix_ms() + unknown_for_ms);
      }
      return {Loaded::Status::unknown, std::nullopt};
    }
    if (!zone) return {Loaded::Status::found, std::move(record)};
    if (!zone->insert(key, *record, unix_ms(), revocations, epoch)) {
      // Refused because of a death, or because it is too large for the zone: a tombstone tells which.
      TokenFacts facts;
      if (zone->check(key, std::nullopt, facts) == Verdict::revoked) return {Loaded::Status::unknown, std::nullopt};
    } else if (shares && redis->usable(*zone) && !zone->changed(key)) {
      redis->put(key, *record, unix_seconds());
    }
    return {Loaded::Status::found, std::move(record)};
  }

  std::optional<Loaded> from_redis(const TokenKey& key) {
    if (!redis || !zone || !redis->usable(*zone)) return std::nullopt;
    const std::uint64_t revocations = zone->revocations();
    const std::uint32_t epoch = zone->epoch();
    if (zone->changed(key)) return std::nullopt;
    RedisCache::Found found = redis->get(key);
    if (found.dead) return Loaded{Loaded::Status::unknown, std::nullopt};
    // Not good any more: deaths may have been missed since the record was written.
    if (!found.record || !redis->usable(*zone)) return std::nullopt;
    if (!zone->insert(key, *found.record, unix_ms(), revocations, epoch)) return std::nullopt;
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
  if (judge(*zone, facts, unix_ms(), 0) == Freshness::good) {
    if (auto full = zone->find(key)) {
      TokenRecord record = std::move(full->record);
      if (const auto list = Json::parse(full->acl_json)) {
        for (const Json& access : list->items()) record.acl.emplace_back(access.text());
      }
      return {Loaded::Status::found, std::move(record)};
    }
    return load(token);
  }
  return revalidate(token);
}

}  // namespace wazoauth
