// The token zone: facts, revocation, space, and several processes on one memory.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "check.h"
#include "child.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/cache/zone_layout.h"
#include "wazoauth/gate/verdict.h"

namespace {

using check::equal;

using namespace wazoauth;
using namespace std::chrono_literals;

constexpr std::int64_t now = 1'800'000'000, later = now + 3600;
constexpr BootTime boot{100'000s};

// A spin lock whose holder may be killed: whoever waits for a dead one takes it over, as nginx's master does.
class TestLock : public ZoneLock {
 public:
  explicit TestLock(std::atomic<pid_t>& owner) : owner_(owner) {}
  void lock() override {
    for (pid_t nobody = 0; !owner_.compare_exchange_weak(nobody, getpid()); nobody = 0) sched_yield();
  }
  void unlock() override { owner_.store(0); }
  void unlock_dead(pid_t dead) { owner_.compare_exchange_strong(dead, 0); }

 private:
  std::atomic<pid_t>& owner_;
};

class Memory {
 public:
  explicit Memory(std::size_t size)
      : size_(size + 4096),
        base_(static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
        lock(*reinterpret_cast<std::atomic<pid_t>*>(base_)),
        node(*new (base_ + 1024) NodeState) {
    Zone::format(memory(), size);
    zone = std::make_unique<Zone>(memory(), size, lock, node);
  }
  ~Memory() { munmap(base_, size_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* memory() const { return base_ + 4096; }
  Zone* operator->() const { return zone.get(); }

 private:
  std::size_t size_;
  char* base_;

 public:
  TestLock lock;
  NodeState& node;
  std::unique_ptr<Zone> zone;
};

std::string uuid(unsigned n) {
  char text[37];
  std::snprintf(text, sizeof text, "%08x-ee8a-4ca4-894e-db77e160355e", n);
  return text;
}

std::string token_of(unsigned n) {
  return "token " + std::to_string(n);
}

TokenKey key_of(unsigned n) {
  return token_key(token_of(n));
}

std::string text(const TokenFacts& facts, Fact fact) {
  const FactText text = facts.get(fact);
  return std::string(text.view());
}

TokenRecord record_of(unsigned n) {
  TokenRecord record;
  record.auth_id = uuid(n);
  record.pbx_user_uuid = record.auth_id;
  record.xivo_uuid = "08c56466-8f29-45c7-9856-92bf1ba89b82";
  record.issued_t = now;
  record.expire_t = later;
  record.metadata = R"({"uuid": ")" + record.auth_id + R"(", "tenant_uuid": ")" + uuid(7) + R"(", "auth_id": ")" +
                    record.auth_id + R"(", "pbx_user_uuid": ")" + record.auth_id +
                    R"(", "xivo_uuid": "08c56466-8f29-45c7-9856-92bf1ba89b82", "purpose": "user"})";
  record.session_uuid = uuid(n + 1000000);
  record.session_tenant_uuid = uuid(7);
  record.user_agent =
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
      "Safari/537.36 Edg/131.0.0.0";
  record.remote_addr = "2001:db8:1111:2222:3333:4444:5555:6666";
  record.acl = {"auth.users.me.#", "confd.users.*.read", "!confd.users.secret.#"};
  record.refresh_token_uuid = uuid(n + 2000000);
  return record;
}

bool insert(const Memory& memory, unsigned n, const TokenRecord& record) {
  return memory->insert(ShownToken(token_of(n)), record, boot, memory->revocations(), memory->node().epoch());
}

bool insert(const Memory& memory, unsigned n) {
  return insert(memory, n, record_of(n));
}

Lookup check(const Memory& memory, unsigned n, const char* required = "confd.users.x.read") {
  TokenFacts facts;
  const acl::Required access(required);
  const std::string token = token_of(n);
  return memory->check(ShownToken(token), &access, facts);
}

bool known(const Memory& memory, unsigned n) {
  TokenFacts facts;
  return memory->check(ShownToken(token_of(n)), nullptr, facts) == Lookup::granted;
}

// -- facts ---------------------------------------------------------------------------------------------------------

void facts_and_record(void**) {
  const Memory memory(1 << 20);
  TokenFacts facts;
  assert_int_equal(memory->check(ShownToken(token_of(1)), nullptr, facts), Lookup::unknown);
  assert_true(insert(memory, 1));
  const std::string access = "auth.users." + uuid(1) + ".tokens";
  const acl::Required required(access);
  assert_int_equal(memory->check(ShownToken(token_of(1)), &required, facts), Lookup::granted);
  const TokenRecord record = record_of(1);
  equal(text(facts, Fact::auth_id), record.auth_id);
  equal(text(facts, Fact::user_uuid), record.auth_id);
  equal(text(facts, Fact::tenant_uuid), uuid(7));
  equal(text(facts, Fact::session_uuid), record.session_uuid);
  equal(text(facts, Fact::refresh_token_uuid), *record.refresh_token_uuid);
  assert_int_equal(facts.expire_t, later);
  assert_true(facts.validated_at == boot);
  assert_int_equal(facts.epoch, memory->node().epoch());
  assert_int_equal(check(memory, 1, "confd.users.secret.read"), Lookup::denied);
  assert_int_equal(check(memory, 1, "auth.users.somebody.tokens"), Lookup::denied);

  const auto full = memory->find(ShownToken(token_of(1)));
  assert_true(full.has_value());
  equal(full->acl_json, R"(["auth.users.me.#", "confd.users.*.read", "!confd.users.secret.#"])");
  TokenRecord without_list = record;
  without_list.acl.clear();
  equal(encode(full->record), encode(without_list));
  assert_false(memory->find(ShownToken(token_of(2))).has_value());
}

void unusual_records(void**) {
  const Memory memory(1 << 20);
  TokenRecord record;
  record.auth_id = "wazo-auth";
  record.user_agent = "\xc3\xa9\x80\xff\x01 wazo-auth";
  record.expire_t = 0;
  assert_true(insert(memory, 1, record));
  equal(encode(memory->find(ShownToken(token_of(1)))->record), encode(record));
  record.expire_t.reset();
  record.refresh_token_uuid = "";
  record.pbx_user_uuid = "";
  record.metadata = R"({"uuid": "another", "tenant_uuid": "t", "other": "\u00e9"})";
  assert_true(insert(memory, 1, record));
  equal(encode(memory->find(ShownToken(token_of(1)))->record), encode(record));

  record.user_agent = std::string(600, 'x');
  assert_true(insert(memory, 2, record));
  assert_false(memory->find(ShownToken(token_of(2))).has_value());
  assert_true(known(memory, 2));
  TokenFacts facts;
  memory->check(ShownToken(token_of(2)), nullptr, facts);
  equal(text(facts, Fact::user_uuid), "another");

  record.auth_id = std::string(40, 'x');
  assert_false(insert(memory, 3, record));
}

void several_accesses_at_once(void**) {
  const Memory memory(1 << 20);
  TokenFacts facts;
  std::vector<bool> granted;
  const std::vector<std::string> required = {"confd.users.x.read", "other", "auth.users.me.x"};
  assert_false(memory->check_all(ShownToken(token_of(1)), required, facts, granted));
  assert_int_equal(granted.size(), 3);
  insert(memory, 1);
  assert_true(memory->check_all(ShownToken(token_of(1)), required, facts, granted));
  assert_true(granted[0] && !granted[1] && granted[2]);
  equal(text(facts, Fact::auth_id), uuid(1));
}

void freshness(void**) {
  const Memory memory(1 << 20);
  insert(memory, 1);
  TokenFacts facts;
  memory->check(ShownToken(token_of(1)), nullptr, facts);
  const auto judged = [&](BootTime at) { return gate::freshness(memory->node(), facts, at, 5000ms); };
  // Nobody listens: what was confirmed counts for a second, and as long as the grace while PostgreSQL is away.
  assert_int_equal(judged(boot + 1s), gate::Freshness::good);
  assert_int_equal(judged(boot + 1001ms), gate::Freshness::revalidate);
  memory->node().open_breaker(boot + 5s, 1s);
  assert_int_equal(judged(boot + 5s), gate::Freshness::grace);
  assert_int_equal(judged(boot + 5001ms), gate::Freshness::too_old);
  assert_int_equal(judged(boot + 6s), gate::Freshness::revalidate);
  memory->node().set_last_heartbeat(boot + 10s);
  assert_int_equal(judged(boot + 12s), gate::Freshness::good);
  assert_int_equal(judged(boot + 12001ms), gate::Freshness::revalidate);
  memory->node().set_last_heartbeat(boot + 1h);
  assert_int_equal(judged(boot + 12001ms), gate::Freshness::revalidate);
}

void formats(void**) {
  const Memory memory(2 << 20);
  assert_true(Zone::compatible(memory.memory(), 2 << 20));
  assert_false(Zone::compatible(memory.memory(), 1 << 20));
  const std::string zeros(1 << 20, '\0');
  assert_false(Zone::compatible(zeros.data(), zeros.size()));
  const Memory of_another_version(1 << 20);
  zone::Areas(of_another_version.memory(), 1 << 20).header->magic = zone::magic - (1ull << 56);
  assert_false(Zone::compatible(of_another_version.memory(), 1 << 20));
  const std::unique_ptr<void, void (*)(void*)> other(std::calloc(1, (1 << 20) + 24), &std::free);
  auto* const odd = static_cast<char*>(other.get()) + 24;
  Zone::format(odd, 1 << 20);
  assert_true(Zone::compatible(odd, 1 << 20));
  TestLock lock = memory.lock;
  Zone zone(odd, 1 << 20, lock, memory.node);
  assert_true(zone.insert(ShownToken(token_of(1)), record_of(1), boot, 0, 1));
  assert_true(zone.find(ShownToken(token_of(1))).has_value());
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// The first start, and each `nginx -t`, make a zone of any size in the same time.
void formatting_touches_no_more_of_a_large_zone(void**) {
  for (const std::size_t size : {std::size_t{2} << 20, std::size_t{1} << 30}) {
    const long before = page_faults();
    const Memory memory(size);
    assert_in_range(page_faults() - before, 1, 50);
  }
}

// -- revocation ----------------------------------------------------------------------------------------------------

void revocation_is_for_ever(void**) {
  const Memory memory(1 << 20);
  insert(memory, 1);
  memory->revoke({{key_of(1), later}, {key_of(2), 0}}, now);
  assert_int_equal(check(memory, 1), Lookup::revoked);
  assert_int_equal(check(memory, 2), Lookup::revoked);
  assert_false(insert(memory, 1));
  assert_false(insert(memory, 2));
  assert_false(memory->find(ShownToken(token_of(1))).has_value());
  assert_int_equal(memory->counters().tombstones, 2);
  memory->sweep(later, boot);
  assert_int_equal(check(memory, 1), Lookup::revoked);
  memory->sweep(later + 1000, boot);
  assert_int_equal(check(memory, 1), Lookup::unknown);
  assert_int_equal(check(memory, 2), Lookup::revoked);
  assert_int_equal(memory->counters().tombstones, 1);
  memory->revoke({{key_of(3), now - 1000}}, now);
  assert_int_equal(memory->counters().tombstones, 1);
}

void late_loads_are_refused(void**) {
  const Memory memory(1 << 20);
  insert(memory, 1);
  const std::uint64_t before = memory->revocations();
  memory->forget({key_of(1)});
  assert_int_equal(check(memory, 1), Lookup::unknown);
  assert_false(memory->insert(ShownToken(token_of(1)), record_of(1), boot, before, 1));
  assert_true(memory->insert(ShownToken(token_of(2)), record_of(2), boot, before, 1));
  assert_true(insert(memory, 1));
  for (unsigned n = 0; n < 5000; ++n) memory->forget({key_of(100 + n)});
  assert_false(memory->insert(ShownToken(token_of(3)), record_of(3), boot, before, 1));
  assert_false(memory->insert(ShownToken(token_of(3)), record_of(3), boot, memory->revocations() + 1, 1));
  assert_true(insert(memory, 3));
}

void ring_of_revocations(void**) {
  const Memory memory(1 << 20);
  const std::uint64_t start = memory->revocations();
  memory->revoke({{key_of(1), later}}, now);
  memory->forget({key_of(2)});
  auto seen = memory->revoked_since(start);
  assert_false(seen.lost);
  assert_int_equal(seen.keys.size(), 2);
  assert_true(seen.keys[0] == key_of(1) && seen.keys[1] == key_of(2));
  assert_int_equal(seen.position, memory->revocations());
  assert_int_equal(memory->revoked_since(seen.position).keys.size(), 0);
  for (unsigned n = 0; n < 5000; ++n) memory->forget({key_of(100 + n)});
  assert_true(memory->revoked_since(start).lost);
  assert_true(memory->revoked_since(memory->revocations() + 1).lost);
  assert_int_equal(memory->revoked_since(memory->revocations() - 100).keys.size(), 100);
}

void tombstones_overflow(void**) {
  const Memory memory(1 << 20);
  const auto capacity = static_cast<unsigned>(memory->counters().tombstone_capacity);
  assert_true(capacity > 1000);
  insert(memory, 0);
  for (unsigned n = 1; n < capacity / 2; ++n) memory->revoke({{key_of(n), later}}, now);
  assert_false(memory->tombstones_overflowed());
  for (unsigned n = 1; n < capacity / 2; ++n) assert_int_equal(check(memory, n), Lookup::revoked);
  memory->revoke({{key_of(999999), 0}}, now);
  for (unsigned n = capacity / 2; n < capacity * 2; ++n) memory->revoke({{key_of(n), later + 1}}, now);
  assert_true(memory->tombstones_overflowed());
  assert_true(memory->counters().tombstones_lost > capacity / 2);
  assert_true(memory->counters().tombstones <= capacity);
  assert_int_equal(check(memory, 999999), Lookup::revoked);
  assert_true(known(memory, 0));
  memory->sweep(later + 1000, boot);
  assert_false(memory->tombstones_overflowed());
  assert_int_equal(memory->counters().tombstones, 1);
}

void tokens_dont_evict_tombstones(void**) {
  const Memory memory(1 << 20);
  memory->revoke({{key_of(0), later}}, now);
  for (unsigned n = 1; n < 5000; ++n) insert(memory, n);
  assert_int_equal(check(memory, 0), Lookup::revoked);
}

void unknown_tokens(void**) {
  const Memory memory(1 << 20);
  insert(memory, 1);
  memory->remember_unknown(key_of(1), boot + 2s);
  assert_false(memory->known_unknown(key_of(1), boot));
  memory->remember_unknown(key_of(2), boot + 2s);
  assert_true(memory->known_unknown(key_of(2), boot + 1999ms));
  assert_false(memory->known_unknown(key_of(2), boot + 2s));
  assert_false(memory->known_unknown(key_of(3), boot));
  insert(memory, 2);
  assert_false(memory->known_unknown(key_of(2), boot));
  for (unsigned n = 10; n < 20000; ++n) memory->remember_unknown(key_of(n), boot + 2s);
  assert_true(known(memory, 1) && known(memory, 2));
  assert_true(memory->counters().negatives > 100);
  memory->sweep(now, boot + 1s);
  assert_true(memory->counters().negatives > 100);
  memory->sweep(now, boot + 3s);
  assert_int_equal(memory->counters().negatives, 0);
}

// Given up or taken away: for a minute the zone can tell, and it stays dead either way.
void a_token_that_was_given_up(void**) {
  const Memory memory(1 << 20);
  for (const unsigned n : {1u, 2u}) insert(memory, n);
  memory->revoke({{key_of(1), later, true}, {key_of(2), later}}, now);
  assert_true(memory->given_up(key_of(1)));
  assert_false(memory->given_up(key_of(2)));
  assert_int_equal(check(memory, 1), Lookup::revoked);
  assert_int_equal(memory->revoked_since(0).keys.size(), 2);
  memory->sweep(now + 61, boot);
  assert_false(memory->given_up(key_of(1)));
  assert_int_equal(check(memory, 1), Lookup::revoked);
}

// -- space ---------------------------------------------------------------------------------------------------------

void two_hundred_thousand_tokens(void**) {
  constexpr std::size_t size = 64 << 20;
  constexpr unsigned tokens = 200000;
  const Memory memory(size);
  for (unsigned n = 0; n < tokens; ++n) assert_true(insert(memory, n));
  for (unsigned n = 0; n < tokens; ++n) assert_int_equal(check(memory, n), Lookup::granted);
  for (unsigned n = 0; n < tokens; n += 100) equal(memory->find(ShownToken(token_of(n)))->record.auth_id, uuid(n));
  const ZoneCounters counters = memory->counters();
  assert_int_equal(counters.used, tokens);
  assert_int_equal(counters.evictions, 0);
  assert_int_equal(counters.blobs, 1);
  assert_true(counters.slot_bytes / tokens < 320 && size / tokens < 340);
  // Those that had to move for others are found by their revocation, too.
  for (unsigned n = 0; n < tokens; n += 10) memory->revoke({{key_of(n), later}}, now);
  for (unsigned n = 0; n < tokens; ++n)
    assert_int_equal(check(memory, n), n % 10 == 0 ? Lookup::revoked : Lookup::granted);
  memory->sweep(later + 1, boot);
  assert_int_equal(memory->counters().used, 0);
  assert_int_equal(memory->counters().blobs, 0);
}

void used_tokens_stay(void**) {
  const Memory memory(1 << 20);
  const auto slots = static_cast<unsigned>(memory->counters().slots);
  constexpr unsigned favourites = 100;
  for (unsigned n = 0; n < slots * 5; ++n) {
    assert_true(insert(memory, n));
    assert_true(known(memory, n));
    if (n % 50 == 0) {
      for (unsigned favourite = 0; favourite < favourites && favourite <= n; ++favourite) known(memory, favourite);
    }
  }
  unsigned left = 0;
  for (unsigned favourite = 0; favourite < favourites; ++favourite) left += known(memory, favourite) ? 1 : 0;
  assert_true(left >= favourites * 95 / 100);
  assert_true(memory->counters().evictions > 0);
  assert_true(memory->counters().used > slots * 9 / 10);
}

void lists_are_shared(void**) {
  const Memory memory(1 << 20);
  for (unsigned n = 0; n < 500; ++n) insert(memory, n);
  assert_int_equal(memory->counters().blobs, 1);
  TokenRecord record = record_of(1);
  record.acl.push_back("more");
  insert(memory, 1, record);
  assert_int_equal(memory->counters().blobs, 2);
  memory->revoke({{key_of(1), later}}, now);
  memory->sweep(now, boot);
  assert_int_equal(memory->counters().blobs, 1);
  assert_true(memory->counters().blob_bytes_used < memory->counters().blob_bytes);
}

// What is known of a list holds for that list, and for lists that don't depend on who has them.
void lists_that_were_looked_at(void**) {
  const Memory memory(1 << 20);
  acl::KnownLists lists, others;
  const std::string own = "auth.users." + uuid(1) + ".read";
  acl::Required required("confd.users.x.read"), of_holder(own);
  required.known = &lists;
  of_holder.known = &others;
  const auto ask = [&](unsigned n, const acl::Required& access) {
    TokenFacts facts;
    return memory->check(ShownToken(token_of(n)), &access, facts);
  };
  TokenRecord record = record_of(1);
  record.acl = {"confd.users.*.read"};
  insert(memory, 1, record);
  for (int again = 0; again < 2; ++again) assert_int_equal(ask(1, required), Lookup::granted);
  record.acl = {"confd.users.*.delete"};
  insert(memory, 1, record);
  for (int again = 0; again < 2; ++again) assert_int_equal(ask(1, required), Lookup::denied);
  for (const unsigned n : {2u, 3u}) {
    record = record_of(n - 1);
    record.acl = {"auth.users.me.read"};
    insert(memory, n, record);
  }
  assert_int_equal(ask(2, of_holder), Lookup::granted);
  assert_int_equal(ask(3, of_holder), Lookup::denied);
  memory->revoke({{key_of(1), later}}, now);
  assert_int_equal(ask(1, required), Lookup::revoked);
}

TokenRecord with_own_list(unsigned n, unsigned accesses) {
  TokenRecord record = record_of(n);
  record.acl = {"own." + std::to_string(n)};
  for (unsigned i = 0; i < accesses; ++i) record.acl.push_back("resource" + std::to_string(i) + ".*.read");
  return record;
}

void lists_make_room(void**) {
  const Memory memory(1 << 20);
  const auto own = [](unsigned n) { return "own." + std::to_string(n); };
  for (unsigned n = 0; n < 3000; ++n) {
    assert_true(insert(memory, n, with_own_list(n, n % 40)));
    assert_int_equal(check(memory, n, own(n).c_str()), Lookup::granted);
  }
  unsigned left = 0;
  for (unsigned n = 0; n < 3000; ++n) {
    const Lookup verdict = check(memory, n, own(n).c_str());
    assert_true(verdict == Lookup::granted || verdict == Lookup::unknown);
    left += verdict == Lookup::granted ? 1 : 0;
  }
  assert_int_equal(left, memory->counters().used);
  assert_true(left > 20 && left < 3000);
  assert_false(insert(memory, 1, with_own_list(1, 10000)));
}

// -- several processes ---------------------------------------------------------------------------------------------

constexpr auto duration = 1500ms;

template <class Work>
bool for_a_while(Work work) {
  const auto end = std::chrono::steady_clock::now() + duration;
  for (unsigned round = 0; std::chrono::steady_clock::now() < end; ++round) {
    if (!work(round)) return false;
  }
  return true;
}

// A token's record in one of several versions; all of it says which.
TokenRecord version_of(unsigned n, unsigned version) {
  TokenRecord record = with_own_list(n, version % 13);
  const std::string text = uuid(version);
  record.session_uuid = text;
  record.refresh_token_uuid = text;
  record.user_agent = text;
  record.expire_t = later + version;
  record.acl.push_back("version." + std::to_string(version % 2));
  return record;
}

bool consistent(const Zone& zone, unsigned n) {
  TokenFacts facts;
  const std::string token = token_of(n);
  const acl::Required required("version.0");
  const Lookup verdict = zone.check(ShownToken(token), &required, facts);
  if (verdict == Lookup::unknown) return true;
  const auto version = static_cast<unsigned>(facts.expire_t - later);
  if (uuid(version) != text(facts, Fact::session_uuid) || uuid(version) != text(facts, Fact::refresh_token_uuid))
    return false;
  if (uuid(n) != text(facts, Fact::auth_id) || verdict != (version % 2 == 0 ? Lookup::granted : Lookup::denied))
    return false;
  const auto full = zone.find(ShownToken(token_of(n)));
  if (!full) return true;
  const auto whole = static_cast<unsigned>(*full->record.expire_t - later);
  TokenRecord expected = version_of(n, whole);
  const std::string list = Json::strings(expected.acl).dump();
  expected.acl.clear();
  return encode(full->record) == encode(expected) && full->acl_json == list;
}

void readers_see_whole_facts(void**) {
  for (const unsigned tokens : {3u, 4000u}) {
    const Memory memory(1 << 20);
    std::vector<pid_t> children;
    for (unsigned reader = 0; reader < 2; ++reader) {
      children.push_back(spawn([&] {
        return for_a_while([&](unsigned round) { return consistent(*memory.zone, (round * 7919 + reader) % tokens); });
      }));
    }
    for (unsigned writer = 0; writer < 2; ++writer) {
      children.push_back(spawn([&] {
        return for_a_while([&](unsigned round) {
          const unsigned n = (round * 104729 + writer) % tokens;
          if (round % 5000 == 0) memory->sweep(now, boot);
          if (round % 17 == 0) memory->forget({key_of(n)});
          const std::uint64_t before = memory->revocations();
          return memory->insert(ShownToken(token_of(n)), version_of(n, round), boot, before, 1) ||
                 memory->revocations() != before;
        });
      }));
    }
    for (const pid_t child : children) assert_true(succeeded(child));
  }
}

void revoked_tokens_never_come_back(void**) {
  const Memory memory(4 << 20);
  std::vector<pid_t> children;
  auto* const revoked = static_cast<std::atomic<unsigned>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (unsigned writer = 0; writer < 2; ++writer) {
    children.push_back(spawn([&] {
      return for_a_while([&](unsigned round) {
        insert(memory, revoked->load() + round % 4);
        return true;
      });
    }));
  }
  children.push_back(spawn([&] {
    return for_a_while([&](unsigned) {
      const unsigned n = revoked->load();
      if (n >= 4000) return true;
      memory->revoke({{key_of(n), later}}, now);
      revoked->store(n + 1);
      for (unsigned again = 0; again < 50; ++again) {
        if (check(memory, n) != Lookup::revoked) return false;
      }
      return true;
    });
  }));
  for (const pid_t child : children) assert_true(succeeded(child));
  const unsigned count = revoked->load();
  assert_true(count > 100);
  for (unsigned n = 0; n < count; ++n) assert_int_equal(check(memory, n), Lookup::revoked);
  munmap(revoked, 4096);
}

void dirty_zone_is_rebuilt(void**) {
  const Memory memory(1 << 20);
  for (unsigned n = 1; n < 200; ++n) insert(memory, n, with_own_list(n, 2));
  memory->revoke({{key_of(1), later}}, now);
  memory->remember_unknown(key_of(1000), boot + 1ms);
  const std::uint64_t before = memory->revocations();
  const std::uint32_t epoch = memory->node().epoch();
  zone::Areas(memory.memory(), 1 << 20).header->dirty = 1;
  assert_true(known(memory, 2));
  assert_false(memory->insert(ShownToken(token_of(2)), record_of(2), boot, before, epoch));
  assert_int_equal(memory->node().epoch(), epoch + 1);
  assert_true(memory->revoked_since(before).lost);
  const ZoneCounters counters = memory->counters();
  assert_int_equal(counters.used + counters.blobs + counters.negatives, 0);
  assert_int_equal(counters.tombstones, 1);
  assert_int_equal(check(memory, 1), Lookup::revoked);
  assert_int_equal(check(memory, 2), Lookup::unknown);
  assert_true(insert(memory, 2));
  assert_int_equal(check(memory, 2), Lookup::granted);
  assert_int_equal(memory->node().epoch(), epoch + 1);
}

void killed_writers(void**) {
  Memory memory(1 << 20);
  memory->revoke({{key_of(999999), 0}}, now);
  const std::uint32_t epoch = memory->node().epoch();
  for (unsigned round = 0; round < 150; ++round) {
    const pid_t child = spawn([&] {
      for (unsigned n = round;; n += 31) {
        insert(memory, n % 3000, version_of(n % 3000, n));
        if (n % 5 == 0) memory->forget({key_of(n % 2999)});
      }
      return true;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(1000 + round * 37 % 1500));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    memory.lock.unlock_dead(child);
    for (unsigned n = 0; n < 3000; n += 10) assert_true(consistent(*memory.zone, n));
    // The first writer after the dead one rebuilds the zone; what was loaded before doesn't count any more.
    assert_true(insert(memory, round, version_of(round, round)) || insert(memory, round, version_of(round, round)));
    assert_true(known(memory, round));
    assert_int_equal(check(memory, 999999), Lookup::revoked);
    for (unsigned n = 0; n < 3000; n += 10) assert_true(consistent(*memory.zone, n));
  }
  assert_true(memory->node().epoch() > epoch);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(facts_and_record),
      cmocka_unit_test(unusual_records),
      cmocka_unit_test(several_accesses_at_once),
      cmocka_unit_test(freshness),
      cmocka_unit_test(formats),
      cmocka_unit_test(formatting_touches_no_more_of_a_large_zone),
      cmocka_unit_test(revocation_is_for_ever),
      cmocka_unit_test(late_loads_are_refused),
      cmocka_unit_test(ring_of_revocations),
      cmocka_unit_test(tombstones_overflow),
      cmocka_unit_test(tokens_dont_evict_tombstones),
      cmocka_unit_test(unknown_tokens),
      cmocka_unit_test(a_token_that_was_given_up),
      cmocka_unit_test(two_hundred_thousand_tokens),
      cmocka_unit_test(used_tokens_stay),
      cmocka_unit_test(lists_are_shared),
      cmocka_unit_test(lists_make_room),
      cmocka_unit_test(lists_that_were_looked_at),
      cmocka_unit_test(readers_see_whole_facts),
      cmocka_unit_test(revoked_tokens_never_come_back),
      cmocka_unit_test(dirty_zone_is_rebuilt),
      cmocka_unit_test(killed_writers),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
