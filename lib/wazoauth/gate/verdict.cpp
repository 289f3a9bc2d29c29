#include "wazoauth/gate/verdict.h"

#include <algorithm>

#include "wazoauth/acl/compile.h"
#include "wazoauth/http/problem.h"

namespace wazoauth::gate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds revalidate_after{1000};  // how often a token is confirmed while LISTEN isn't known good

// A record that doesn't fit in the zone, or that left it at once, is judged by itself.
Lookup look_up(const TokenRecord& record, const Question& question, TokenFacts& facts) {
  const auto short_enough = [](std::string_view text) { return text.substr(0, longest_fact); };
  facts = {};
  facts.expire_t = record.expire_t.value_or(0);
  facts.add(Fact::auth_id, short_enough(record.auth_id));
  facts.add(Fact::user_uuid, short_enough(record.user_uuid()));
  facts.add(Fact::tenant_uuid, short_enough(record.tenant_uuid()));
  facts.add(Fact::session_uuid, short_enough(record.session_uuid));
  facts.add(Fact::refresh_token_uuid, short_enough(record.refresh_token_uuid.value_or("")));
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

Verdict judge(const Zone& zone, const ShownToken& token, const Question& question, TokenFacts& facts) {
  const Lookup lookup = zone.check(token, question.required, facts);
  if (lookup == Lookup::unknown) return decide(lookup, zone.known_unknown(token.key(), question.now), {}, false);
  if (lookup == Lookup::revoked) return decide(lookup, false, {}, false);
  return decide(lookup, false, freshness(zone.node(), facts, question.now, question.grace),
                expired(facts.expire_t, question.unix_now));
}

Verdict judge_loaded(const Zone& zone, const ShownToken& token, const Question& question, const Loaded& loaded,
                     TokenFacts& facts) {
  if (loaded.status == Loaded::Status::unknown) return decide_loaded(loaded.status, Lookup::unknown, false, false);
  Lookup lookup = zone.check(token, question.required, facts);
  if (lookup == Lookup::unknown && loaded.record) lookup = look_up(*loaded.record, question, facts);
  const bool in_grace = question.now - known_good(zone.node(), facts) <= question.grace;
  return decide_loaded(loaded.status, lookup, in_grace, expired(facts.expire_t, question.unix_now));
}

Verdict::Outcome judge_tenant(const TenantTree& tenants, std::string_view wanted, const TokenFacts& facts,
                              milliseconds grace) {
  if (wanted.empty()) return Verdict::Outcome::pass;
  const FactText own = facts.get(Fact::tenant_uuid);
  if (own == wanted) return Verdict::Outcome::pass;
  const auto inside = tenants.in_subtree(wanted, own.view(), grace);
  if (!inside) return Verdict::Outcome::read_tenants;
  return *inside ? Verdict::Outcome::pass : Verdict::Outcome::tenant_outside;
}

Verdict::Outcome judge_address(const AddressLocks& locks, const TenantTree& tenants, std::string_view address,
                               const TokenFacts& facts, std::int64_t unix_now, milliseconds grace) {
  const FactText text = facts.get(Fact::tenant_uuid);
  const std::string_view tenant = text.view();
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
  const ShownToken shown(token);
  TokenFacts facts;
  const Verdict verdict = judge(*zone, shown, {nullptr, unix_seconds(), BootClock::now()}, facts);
  switch (verdict.outcome) {
    case Verdict::Outcome::pass:
      if (auto record = store.in_zone(shown)) return {Loaded::Status::found, std::move(record)};
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
