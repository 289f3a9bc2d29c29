// The gate's verdicts: every state of a token against every answer, and what a zone makes of it.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "check.h"
#include "wazoauth/gate/verdict.h"

using namespace wazoauth;
using namespace wazoauth::gate;
using namespace std::chrono_literals;
using Outcome = Verdict::Outcome;
using Reason = Verdict::Reason;

namespace {

const char* name_of(Outcome outcome) {
  static const char* const names[] = {"pass",       "denied",      "unknown",        "load",
                                      "revalidate", "unavailable", "tenant_outside", "read_tenants"};
  return names[static_cast<int>(outcome)];
}

void is(const Verdict& verdict, Outcome outcome, Reason reason, bool grace, const std::string& name) {
  check::equal(std::string(name_of(verdict.outcome)), std::string(name_of(outcome)), name);
  check::that(verdict.reason == reason, name + ": the reason");
  check::that(verdict.grace == grace, name + ": grace");
}

struct Row {
  const char* name;
  Lookup lookup;
  bool remembered, expired;
  Freshness fresh;
  Outcome outcome;
  Reason reason = Reason::none;
  bool grace = false;
};

void what_the_zone_knows(void**) {
  using enum Freshness;
  const Row table[] = {
      {"never seen", Lookup::unknown, false, false, good, Outcome::load},
      {"known to be none", Lookup::unknown, true, false, good, Outcome::unknown, Reason::never_heard_of},
      {"revoked", Lookup::revoked, false, false, good, Outcome::unknown, Reason::revoked},
      {"revoked, while cut off", Lookup::revoked, false, false, too_old, Outcome::unknown, Reason::revoked},
      {"granted", Lookup::granted, false, false, good, Outcome::pass},
      {"access missing", Lookup::denied, false, false, good, Outcome::denied},
      {"expired", Lookup::granted, false, true, good, Outcome::unknown, Reason::expired},
      {"expired, access missing", Lookup::denied, false, true, good, Outcome::unknown, Reason::expired},
      {"expired, not confirmed", Lookup::granted, false, true, revalidate, Outcome::unknown, Reason::expired},
      {"expired, cut off", Lookup::granted, false, true, too_old, Outcome::unknown, Reason::expired},
      {"not confirmed", Lookup::granted, false, false, revalidate, Outcome::revalidate},
      {"not confirmed, access missing", Lookup::denied, false, false, revalidate, Outcome::revalidate},
      {"in grace", Lookup::granted, false, false, grace, Outcome::pass, Reason::none, true},
      {"in grace, access missing", Lookup::denied, false, false, grace, Outcome::denied, Reason::none, true},
      {"cut off", Lookup::granted, false, false, too_old, Outcome::unavailable},
      {"cut off, access missing", Lookup::denied, false, false, too_old, Outcome::unavailable},
  };
  for (const Row& row : table)
    is(decide(row.lookup, row.remembered, row.fresh, row.expired), row.outcome, row.reason, row.grace, row.name);
}

struct LoadedRow {
  const char* name;
  Loaded::Status status;
  Lookup lookup;
  bool in_grace, expired;
  Outcome outcome;
  Reason reason = Reason::none;
  bool grace = false;
};

void what_a_load_brought(void**) {
  using enum Loaded::Status;
  const LoadedRow table[] = {
      {"none", unknown, Lookup::unknown, false, false, Outcome::unknown, Reason::never_heard_of},
      {"none, though the zone had it", unknown, Lookup::granted, true, false, Outcome::unknown, Reason::never_heard_of},
      {"found", found, Lookup::granted, false, false, Outcome::pass},
      {"found, access missing", found, Lookup::denied, false, false, Outcome::denied},
      {"found, revoked meanwhile", found, Lookup::revoked, false, false, Outcome::unknown, Reason::revoked},
      {"found, expired", found, Lookup::granted, false, true, Outcome::unknown, Reason::expired},
      {"away, never seen", unavailable, Lookup::unknown, false, false, Outcome::unavailable},
      {"away, never seen, whatever the grace", unavailable, Lookup::unknown, true, false, Outcome::unavailable},
      {"away, in grace", unavailable, Lookup::granted, true, false, Outcome::pass, Reason::none, true},
      {"away, in grace, access missing", unavailable, Lookup::denied, true, false, Outcome::denied, Reason::none, true},
      {"away, grace over", unavailable, Lookup::granted, false, false, Outcome::unavailable},
      {"away, grace over, access missing", unavailable, Lookup::denied, false, false, Outcome::unavailable},
      {"away, expired", unavailable, Lookup::granted, true, true, Outcome::unknown, Reason::expired},
      {"away, revoked", unavailable, Lookup::revoked, true, false, Outcome::unknown, Reason::revoked},
  };
  for (const LoadedRow& row : table)
    is(decide_loaded(row.status, row.lookup, row.in_grace, row.expired), row.outcome, row.reason, row.grace, row.name);
}

struct NoLock : ZoneLock {
  void lock() override {}
  void unlock() override {}
};

constexpr std::size_t size = 1 << 20;
constexpr std::int64_t unix_now = 1800000000;
const BootTime boot(3600s);

struct OneToken {
  OneToken() : memory(std::calloc(1, size), &std::free) {
    Zone::format(memory.get(), size);
    zone = std::make_unique<Zone>(memory.get(), size, lock, node);
    record.auth_id = "10000000-0000-4000-8000-000000000001";
    record.session_uuid = "20000000-0000-4000-8000-000000000002";
    record.metadata = R"({"uuid": "10000000-0000-4000-8000-000000000001", "tenant_uuid": "t1"})";
    record.acl = {"confd.users.read"};
    record.expire_t = unix_now + 60;
    node.set_last_heartbeat(boot);
    zone->insert(token, record, boot, zone->revocations(), node.epoch());
  }
  Verdict ask(BootTime at, const char* access = "confd.users.read", std::int64_t unix_at = unix_now) {
    const acl::Required required(access);
    return judge(*zone, token, {&required, unix_at, at, 5s}, facts);
  }
  Verdict ask_loaded(const Loaded& loaded, BootTime at = boot) {
    const acl::Required required("confd.users.read");
    return judge_loaded(*zone, token, {&required, unix_now, at, 5s}, loaded, facts);
  }

  NoLock lock;
  NodeState node;
  std::unique_ptr<void, decltype(&std::free)> memory;
  std::unique_ptr<Zone> zone;
  const ShownToken token{"30000000-0000-4000-8000-000000000003"};
  TokenRecord record;
  TokenFacts facts;
};

void by_a_zone(void**) {
  OneToken one;
  is(one.ask(boot), Outcome::pass, Reason::none, false, "listening");
  is(one.ask(boot, "confd.users.delete"), Outcome::denied, Reason::none, false, "another access");
  is(one.ask(boot, "confd.users.read", unix_now + 60), Outcome::pass, Reason::none, false, "its last second");
  is(one.ask(boot, "confd.users.read", unix_now + 61), Outcome::unknown, Reason::expired, false, "expired");
  is(one.ask(boot + 2001ms), Outcome::revalidate, Reason::none, false, "nobody listens");
  one.node.open_breaker(boot + 2001ms, 3000ms);
  is(one.ask(boot + 2001ms), Outcome::pass, Reason::none, true, "PostgreSQL is away");
  one.node.open_breaker(boot + 5s, 3000ms);
  is(one.ask(boot + 5001ms), Outcome::unavailable, Reason::none, false, "cut off");
  one.node.close_breaker();
  one.node.set_last_heartbeat(boot + 6s);
  one.node.raise_epoch();
  is(one.ask(boot + 6s), Outcome::revalidate, Reason::none, false, "another epoch");
  one.zone->revoke({{one.token.key(), unix_now + 60}}, unix_now);
  is(one.ask(boot + 6s), Outcome::unknown, Reason::revoked, false, "revoked");
}

void after_a_load(void**) {
  OneToken one;
  is(one.ask_loaded({Loaded::Status::found, one.record}), Outcome::pass, Reason::none, false, "found");
  is(one.ask_loaded({Loaded::Status::unavailable, {}}, boot + 5s), Outcome::pass, Reason::none, true, "in grace");
  is(one.ask_loaded({Loaded::Status::unavailable, {}}, boot + 6s), Outcome::unavailable, Reason::none, false, "over");
  one.zone->forget({one.token.key()});
  is(one.ask_loaded({Loaded::Status::found, one.record}), Outcome::pass, Reason::none, false, "no room in the zone");
  assert_true(one.facts.get(Fact::tenant_uuid) == "t1");
  one.record.acl = {"confd.users.delete"};
  is(one.ask_loaded({Loaded::Status::found, one.record}), Outcome::denied, Reason::none, false, "no room, no access");
  is(one.ask_loaded({Loaded::Status::unknown, {}}), Outcome::unknown, Reason::never_heard_of, false, "gone");
}

void tenants(void**) {
  OneToken one;
  one.ask(boot);
  Database nobody({.conninfo = "host=/nonexistent"});
  const TenantTree unread(nobody, one.node);
  check::that(judge_tenant(unread, "", one.facts) == Outcome::pass, "no tenant is wanted");
  check::that(judge_tenant(unread, "t1", one.facts) == Outcome::pass, "the token's own");
  check::that(judge_tenant(unread, "t2", one.facts) == Outcome::read_tenants, "the tree isn't there yet");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_the_zone_knows),
      cmocka_unit_test(what_a_load_brought),
      cmocka_unit_test(by_a_zone),
      cmocka_unit_test(after_a_load),
      cmocka_unit_test(tenants),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
