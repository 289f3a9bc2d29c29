// Does a token let a request pass? One decision for the gate, for the API's answers from the zone and for the API
// itself.
//
// decide() is the whole rule, as a function of what is known; judge() and judge_loaded() gather that from the zone and
// from a load. Nothing here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/base/clock.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/tenant_tree.h"
#include "wazoauth/cache/token_store.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth::gate {

struct Verdict {
  enum class Outcome {
    pass,
    denied,          // the token lives and lacks the access
    unknown,         // there is no live token: never heard of, revoked, expired
    load,            // the zone doesn't have it: ask Redis, then PostgreSQL
    revalidate,      // ask PostgreSQL whether it still lives
    unavailable,     // nobody can tell: 503
    tenant_outside,  // the wanted tenant is neither the token's own nor below it
    address_locked,  // the client's address is, for users of the token's tenant
    read_tenants,    // whether it is, PostgreSQL has to say
  };
  // Of Outcome::unknown.
  enum class Reason { none, never_heard_of, revoked, expired };

  Outcome outcome = Outcome::unknown;
  Reason reason = Reason::none;
  bool grace = false;  // PostgreSQL is away, and the token was good a short while ago

  bool operator==(const Verdict&) const = default;
};

// May a copy in the zone be used now?
enum class Freshness {
  good,
  revalidate,  // ask PostgreSQL first: another epoch, or LISTEN isn't known good and the last check is over 1 s old
  grace,       // PostgreSQL is known to be away (circuit breaker): yes, within the grace
  too_old,     // ... and the grace is over
};
Freshness freshness(const NodeState& node, const TokenFacts& facts, BootTime now, std::chrono::milliseconds grace);

// When a copy was last known to be right: what LISTEN tells counts only since the copy's epoch, a token of another one
// may have died while nobody listened.
BootTime known_good(const NodeState& node, const TokenFacts& facts);

// From what the zone holds. `remembered`: of Lookup::unknown, PostgreSQL said a moment ago that there is no such token.
// An expired token is unknown whatever else holds, and a token that nobody can vouch for is denied nothing: 503 comes
// first.
constexpr Verdict decide(Lookup lookup, bool remembered, Freshness fresh, bool expired) {
  using enum Verdict::Outcome;
  if (lookup == Lookup::unknown) return remembered ? Verdict{unknown, Verdict::Reason::never_heard_of} : Verdict{load};
  if (lookup == Lookup::revoked) return {unknown, Verdict::Reason::revoked};
  if (expired) return {unknown, Verdict::Reason::expired};
  if (fresh == Freshness::revalidate) return {revalidate};
  if (fresh == Freshness::too_old) return {unavailable};
  const bool grace = fresh == Freshness::grace;
  return {lookup == Lookup::granted ? pass : denied, Verdict::Reason::none, grace};
}

// After PostgreSQL, or Redis, was asked. `lookup`: what the zone holds since then, or what the answer itself grants
// where it found no room there. `in_grace`: PostgreSQL can't be asked, and the copy in the zone was good a short while
// ago.
constexpr Verdict decide_loaded(Loaded::Status status, Lookup lookup, bool in_grace, bool expired) {
  using enum Verdict::Outcome;
  if (status == Loaded::Status::unknown) return {unknown, Verdict::Reason::never_heard_of};
  if (lookup == Lookup::revoked) return {unknown, Verdict::Reason::revoked};
  if (lookup != Lookup::unknown && expired) return {unknown, Verdict::Reason::expired};
  const bool away = status == Loaded::Status::unavailable;
  if (lookup == Lookup::unknown) return away ? Verdict{unavailable} : Verdict{unknown, Verdict::Reason::never_heard_of};
  if (away && !in_grace) return {unavailable};
  return {lookup == Lookup::granted ? pass : denied, Verdict::Reason::none, away};
}

// Expired when now > expire_t, in whole seconds; 0 never is.
constexpr bool expired(std::int64_t expire_t, std::int64_t unix_now) {
  return expire_t != 0 && unix_now > expire_t;
}

struct Question {
  const acl::Required* required;  // the access; null: any live token will do
  std::int64_t unix_now;
  BootTime now;
  std::chrono::milliseconds grace{0};
};

// `facts` are the token's when the zone has it.
Verdict judge(const Zone& zone, const ShownToken& token, const Question& question, TokenFacts& facts);
Verdict judge_loaded(const Zone& zone, const ShownToken& token, const Question& question, const Loaded& loaded,
                     TokenFacts& facts);

// A verdict of `pass`, once more with the tenant that the request wants; "" for none.
Verdict::Outcome judge_tenant(const TenantTree& tenants, std::string_view wanted, const TokenFacts& facts,
                              std::chrono::milliseconds grace = {});

// ... and with the address that it comes from.
Verdict::Outcome judge_address(const AddressLocks& locks, const TenantTree& tenants, std::string_view address,
                               const TokenFacts& facts, std::int64_t unix_now, std::chrono::milliseconds grace = {});

// The token's record, by the zone if it is fresh there, else by PostgreSQL; nullopt: no live token. For the API, which
// works on the database, so there is no grace: throws 503 for what can't be confirmed. Blocks.
std::optional<TokenRecord> live_token(TokenStore& store, std::string_view token);

}  // namespace wazoauth::gate
