#include "wazoauth/cache/token_store.h"

#include <algorithm>

#include "wazoauth/acl/compile.h"
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

  // read(unit), on the database, for somebody who waits since `asked`. False: it is away, and all know it for a moment.
  template <class Read>
  bool reach(BootTime asked, Read read) {
    if (zone && (zone->node().failed_since(asked) || !zone->node().try_database(BootClock::now()))) return false;
    try {
      UnitOfWork unit(database, Mode::read_only);
      read(unit);
    } catch (const Unavailable& e) {
      trouble.is(std::string("a token can't be looked up: ") + e.what());
      if (zone) zone->node().open_breaker(BootClock::now(), breaker_time);
      return false;
    }
    trouble.over();
    if (zone) zone->node().close_breaker();
    return true;
  }

  Loaded from_database(const ShownToken& token, BootTime asked) {
    const TokenKey& key = token.key();
    // Read before the query: what dies after this can't be brought back by its answer.
    const std::uint64_t revocations = zone ? zone->revocations() : 0;
    const std::uint32_t epoch = zone ? zone->node().epoch() : 0;
    const auto life = redis && zone ? RedisCache::usable(*zone) : std::nullopt;
    std::optional<TokenRecord> record;
    const bool reached = reach(asked, [&](UnitOfWork& unit) {
      // Whoever has a token in the zone knows from where it mustn't be used.
      if (address_locks && !address_locks->known()) address_locks->refresh(database);
      record = load_token(unit, token.text());
    });
    if (!reached) return {Loaded::Status::unavailable, std::nullopt};
    if (!record) {
      if (zone) {
        // Only what was known is news for others.
        TokenFacts facts;
        if (zone->check(token, nullptr, facts) != Lookup::unknown) zone->forget({key});
        zone->remember_unknown(key, BootClock::now() + unknown_for);
      }
      return {Loaded::Status::unknown, std::nullopt};
    }
    if (!zone) return {Loaded::Status::found, std::move(record)};
    if (!zone->insert(token, *record, BootClock::now(), revocations, epoch)) {
      // Refused because of a death, or because it is too large for the zone: a tombstone tells which.
      TokenFacts facts;
      if (zone->check(token, nullptr, facts) == Lookup::revoked) return {Loaded::Status::unknown, std::nullopt};
    } else if (life && RedisCache::usable(*zone) == life && !zone->changed(key)) {
      redis->put(key, *record, unix_seconds(), *life);
    }
    return {Loaded::Status::found, std::move(record)};
  }

  std::optional<Loaded> from_redis(const ShownToken& token) {
    const TokenKey& key = token.key();
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
    if (!zone->insert(token, *found.record, BootClock::now(), revocations, epoch)) return std::nullopt;
    return Loaded{Loaded::Status::found, std::move(found.record)};
  }
};

TokenStore::TokenStore(Zone* zone, Database& database, RedisCache* redis, AddressLocks* address_locks)
    : state_(std::make_unique<State>(zone, database, redis, address_locks)) {}
TokenStore::~TokenStore() = default;

Loaded TokenStore::load(std::string_view token, BootTime asked) {
  const ShownToken shown(token);
  if (auto loaded = state_->from_redis(shown)) return std::move(*loaded);
  return state_->from_database(shown, asked);
}

Loaded TokenStore::revalidate(std::string_view token, BootTime asked) {
  return state_->from_database(ShownToken(token), asked);
}

TokenClient TokenClient::of(const TokenRecord& record) {
  return {record.auth_id, record.session_uuid, record.user_agent, record.refresh_token_uuid,
          record.issued_t.value_or(0)};
}

Successor TokenStore::successor(std::string_view token, const TokenClient& client,
                                std::optional<std::string_view> required) {
  std::vector<std::string> found;
  const bool reached = state_->reach(BootClock::now(), [&](UnitOfWork& unit) {
    const Rows rows = unit.run("tokens.successors", {client.auth_id, token, client.issued_t, client.refresh_token_uuid,
                                                     client.session_uuid, client.user_agent, unix_seconds()});
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::string auth_id = rows.text(row, "auth_id"), session = rows.text(row, "session_uuid");
      const std::string list = acl::compile(rows.texts(row, "acl"));
      if (acl::AccessList(list).grants(required, {auth_id, session})) found.push_back(rows.text(row, "uuid"));
    }
  });
  if (!reached) return {};
  for (std::string& next : found) {
    Loaded loaded = revalidate(next);
    if (loaded.status == Loaded::Status::unavailable) return {};
    if (loaded.record) return {Loaded::Status::found, std::move(next), std::move(*loaded.record)};
  }
  return {.status = Loaded::Status::unknown, .token = {}, .record = {}};
}

const Zone* TokenStore::zone() const {
  return state_->zone;
}

std::optional<TokenRecord> TokenStore::in_zone(const ShownToken& token) const {
  auto full = state_->zone->find(token);
  if (!full) return std::nullopt;
  TokenRecord record = std::move(full->record);
  if (const auto list = Json::parse(full->acl_json)) {
    for (const Json& access : list->items()) record.acl.emplace_back(access.text());
  }
  return record;
}

}  // namespace wazoauth
