#include "wazoauth/gate/verdict.h"

#include <algorithm>
#include <cstring>

#include "wazoauth/acl/compile.h"
#include "wazoauth/http/problem.h"

namespace wazoauth::gate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds revalidate_after{1000};  // how often a token is confirmed while LISTEN isn't known good

template <std::size_t size>
void put(char (&to)[size], std::string_view text) {
  std::memset(to, 0, size);
  std::memcpy(to, text.data(), std::min(text.size(), size - 1));
}

// A record that doesn't fit in the zone, or that left it at once, is judged by itself.
Lookup look_up(const TokenRecord& record, const Question& question, TokenFacts& facts) {
  facts.expire_t = record.expire_t.value_or(0);
  put(facts.auth_id, record.auth_id);
  put(facts.user_uuid, record.user_uuid());
  put(facts.tenant_uuid, record.tenant_uuid());
  put(facts.session_uuid, record.session_uuid);
  put(facts.refresh_token_uuid, record.refresh_token_uuid.value_or(""));
  if (!question.required) return Lookup::granted;
  const std::string list = acl::compile(record.acl);
  const bool granted = acl::AccessList(list).grants(*question.required, {record.auth_id, record.session_uuid});
  return granted ? Lookup::granted : Lookup::denied;
}

}  // namespace

BootTime known_good(const NodeState& node, const TokenFacts& facts) {
  if (facts.epoch != node.epoch()) return facts.validated_at;
  return std::max(node.last_heartbeat(), facts.validated_at);
}

Freshness freshness(const NodeState& node, const TokenFacts& facts, BootTime now, milliseconds grace) {
  const bool same_epoch = facts.epoch == node.epoch();
  if (same_epoch && (node.listening(now) || now - facts.validated_at <= revalidate_after)) return Freshness::good;
  if (!node.database_away(now)) return Freshness::revalidate;
  return now - known_good(node, facts) <= grace ? Freshness::grace : Freshness::too_old;
}

Verdict judge(const Zone& zone, const TokenKey& key, const Question& question, TokenFacts& facts) {
  const Lookup lookup = zone.check(key, question.required, facts);
  if (lookup == Lookup::unknown) return decide(lookup, zone.known_unknown(key, question.now), {}, false);
  if (lookup == Lookup::revoked) return decide(lookup, false, {}, false);
  return decide(lookup, false, freshness(zone.node(), facts, question.now, question.grace),
                expired(facts.expire_t, question.unix_now));
}

Verdict judge_loaded(const Zone& zone, const TokenKey& key, const Question& question, const Loaded& loaded,
                     TokenFacts& facts) {
  if (loaded.status == Loaded::Status::unknown) return decide_loaded(loaded.status, Lookup::unknown, false, false);
  Lookup lookup = zone.check(key, question.required, facts);
  if (lookup == Lookup::unknown && loaded.record) lookup = look_up(*loaded.record, question, facts);
  const bool in_grace = question.now - known_good(zone.node(), facts) <= question.grace;
  return decide_loaded(loaded.status, lookup, in_grace, expired(facts.expire_t, question.unix_now));
}

Verdict::Outcome judge_tenant(const TenantTree& tenants, std::string_view wanted, const TokenFacts& facts,
                              milliseconds grace) {
  if (wanted.empty() || wanted == facts.tenant_uuid) return Verdict::Outcome::pass;
  const auto inside = tenants.in_subtree(wanted, facts.tenant_uuid, grace);
  if (!inside) return Verdict::Outcome::read_tenants;
  return *inside ? Verdict::Outcome::pass : Verdict::Outcome::tenant_outside;
}

Verdict::Outcome judge_address(const AddressLocks& locks, const TenantTree& tenants, std::string_view address,
                               const TokenFacts& facts, std::int64_t unix_now, milliseconds grace) {
  const std::string_view tenant = facts.tenant_uuid;
  auto outcome = Verdict::Outcome::pass;
  for (const AddressLock& lock : locks.holding(address, unix_now)) {
    if (lock.everywhere || lock.tenant_uuid == tenant) return Verdict::Outcome::address_locked;
    const auto inside = tenants.in_subtree(tenant, lock.tenant_uuid, grace);
    if (!inside) outcome = Verdict::Outcome::read_tenants;
    if (inside && *inside) return Verdict::Outcome::address_locked;
  }
  return outcome;
}

namespace {

Loaded find(TokenStore& store, std::string_view token) {
  const Zone* const zone = store.zone();
  if (!zone) return store.load(token);
  const TokenKey key = token_key(token);
  TokenFacts facts;
  const Verdict verdict = judge(*zone, key, {std::nullopt, unix_seconds(), BootClock::now()}, facts);
  switch (verdict.outcome) {
    case Verdict::Outcome::pass:
      if (auto record = store.in_zone(key)) return {Loaded::Status::found, std::move(record)};
      return store.load(token);
    case Verdict::Outcome::unknown:
      // What was unknown a moment ago may have been made since, by another server.
      if (verdict.reason == Verdict::Reason::never_heard_of) return store.load(token);
      return {Loaded::Status::unknown, std::nullopt};
    case Verdict::Outcome::load:
      return store.load(token);
    default:
      return store.revalidate(token);
  }
}

}  // namespace

std::optional<TokenRecord> live_token(TokenStore& store, std::string_view token) {
  Loaded loaded = token.empty() ? Loaded{Loaded::Status::unknown, std::nullopt} : find(store, token);
  if (loaded.status == Loaded::Status::unavailable) throw problems::unavailable();
  if (loaded.status == Loaded::Status::unknown || loaded.record->expired(unix_seconds())) return std::nullopt;
  return std::move(loaded.record);
}

}  // namespace wazoauth::gate
