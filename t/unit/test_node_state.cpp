// What the processes of a node agree on: heartbeats, the circuit breaker, lives, and how another process sees them.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <limits>
#include <new>

#include "check.h"
#include "child.h"
#include "wazoauth/cache/node_state.h"

namespace {

using check::equal;

using namespace wazoauth;
using namespace std::chrono_literals;

constexpr BootTime boot{100'000s};

// Memory that child processes see, too.
class Shared {
 public:
  Shared() : memory_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    new (memory_) NodeState;
  }
  ~Shared() { munmap(memory_, size); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  NodeState& operator*() const { return *static_cast<NodeState*>(memory_); }
  NodeState* operator->() const { return &**this; }
  void* memory() const { return memory_; }

 private:
  static constexpr std::size_t size = 4096;
  static_assert(sizeof(NodeState) <= size);
  void* memory_;
};

// -- one process -----------------------------------------------------------------------------------------------------

void a_node_that_has_just_started(void**) {
  const NodeState node;
  assert_true(node.compatible());
  equal(node.epoch(), 1u);
  check::never(node.started() || node.listening(boot) || node.database_away(boot), "anything is known");
  equal(node.housekeeper(), std::uint64_t{0});
  equal(node.database_life(), std::uint64_t{0});
  assert_true(node.redis_life() == RedisLife{});
  assert_true(node.last_heartbeat() == BootTime());
}

void heartbeats(void**) {
  NodeState node;
  assert_false(node.listening(BootTime(1s)));  // of a machine that has just started
  node.set_last_heartbeat(boot);
  assert_true(node.listening(boot) && node.listening(boot + 2s));
  assert_false(node.listening(boot + 2001ms));
  // As old as a turn of an event loop `now` may be. From the future there is none.
  assert_true(node.listening(boot - 500ms));
  assert_false(node.listening(boot - 1h));
}

void circuit_breaker(void**) {
  NodeState node;
  assert_false(node.database_away(boot));
  assert_true(node.try_database(boot) && node.try_database(boot));  // closed: everybody may
  node.open_breaker(boot, 100ms);
  assert_true(node.database_away(boot + 99ms));
  assert_false(node.try_database(boot + 99ms));
  assert_false(node.database_away(boot + 100ms));
  assert_true(node.try_database(boot + 100ms));  // one, for all
  assert_false(node.try_database(boot + 100ms) || node.try_database(boot + 3s));
  assert_true(node.database_away(boot + 3s));
  assert_true(node.try_database(boot + 3101ms));
  node.close_breaker();
  assert_false(node.database_away(boot + 3101ms));
  assert_true(node.try_database(boot + 3101ms) && node.try_database(boot + 3101ms));
}

// Who asked before a failure shares it, also when the breaker is closed again.
void failure_is_shared(void**) {
  NodeState node;
  assert_false(node.failed_since(boot));
  node.open_breaker(boot + 2s, 100ms);
  assert_true(node.failed_since(boot) && node.failed_since(boot + 2s));
  assert_false(node.failed_since(boot + 2001ms));
  node.close_breaker();
  assert_true(node.failed_since(boot));
}

// An end further ahead than it can be is none.
void breaker_from_the_future(void**) {
  NodeState node;
  node.open_breaker(boot + 1h, 1h);
  assert_false(node.database_away(boot));
  assert_true(node.try_database(boot));
  assert_true(node.database_away(boot));
  node.open_breaker(boot, 1h);
  assert_true(node.database_away(boot + 2999ms));
  assert_false(node.database_away(boot + 3s));
}

void lives_have_all_values(void**) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  NodeState node;
  for (const RedisLife& life : {RedisLife{1, 1}, {most, most}, {1, most}, {most, 0}, {0, 0}, {1ull << 32, 1}}) {
    node.set_redis_life(life);
    check::that(node.redis_life() == life, std::to_string(life.life) + " in " + std::to_string(life.server));
  }
  node.set_database_life(most);
  equal(node.database_life(), most);
}

// -- several processes
// -------------------------------------------------------------------------------------------------

void another_process_sees_it(void**) {
  const Shared node;
  assert_true(succeeded(spawn([&] {
    node->raise_epoch();
    node->set_last_heartbeat(boot);
    node->set_housekeeper(6);
    node->set_started(true);
    node->set_config_flags(7);
    node->open_breaker(boot, 100ms);
    node->raise_tenant_generation();
    node->set_database_life(8);
    node->set_redis_life({9, 10});
    return true;
  })));
  equal(node->epoch(), 2u);
  assert_true(node->listening(boot));
  equal(node->housekeeper(), std::uint64_t{6});
  assert_true(node->started());
  equal(node->config_flags(), 7u);
  assert_true(node->database_away(boot));
  equal(node->tenant_generation(), std::uint64_t{1});
  equal(node->database_life(), std::uint64_t{8});
  assert_true(node->redis_life() == (RedisLife{9, 10}));
}

// Of many processes that find the breaker's end, one asks.
void one_process_asks_for_all(void**) {
  for (int round = 0; round < 20; ++round) {
    const Shared node;
    node->open_breaker(boot, 100ms);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) children.push_back(spawn([&] { return node->try_database(boot + 100ms); }));
    int asked = 0;
    for (const pid_t child : children) asked += succeeded(child) ? 1 : 0;
    equal(asked, 1);
  }
}

// Two listeners, one of them about to be superseded, and a reader: it never sees numbers that nobody wrote together.
void redis_lives_are_never_mixed(void**) {
  const Shared node;
  const auto end = std::chrono::steady_clock::now() + 500ms;
  const auto over = [end] { return std::chrono::steady_clock::now() >= end; };
  std::vector<pid_t> writers;
  for (std::uint64_t writer = 0; writer < 2; ++writer) {
    writers.push_back(spawn([&] {
      for (std::uint64_t n = 1 + writer; !over(); n += 2) node->set_redis_life({n * 0x9e3779b97f4a7c15, n});
      return true;
    }));
  }
  std::uint64_t seen = 0;
  bool mixed = false;
  while (!over()) {
    const RedisLife life = node->redis_life();
    if (life == RedisLife{}) continue;
    ++seen;
    mixed = mixed || life.life != life.server * 0x9e3779b97f4a7c15;
  }
  for (const pid_t writer : writers) assert_true(succeeded(writer));
  check::never(mixed, "a life is of another server");
  check::that(seen > 100, "lives were seen");
}

// -- reload and upgrade
// --------------------------------------------------------------------------------------------------

void a_reload_goes_on_with_it(void**) {
  const Shared node;
  node->set_housekeeper(6);
  node->raise_epoch();
  // What a new cycle does with memory that it takes over: no constructor runs.
  auto* const again = static_cast<NodeState*>(node.memory());
  assert_true(again->compatible());
  equal(again->housekeeper(), std::uint64_t{6});
  equal(again->epoch(), 2u);
}

void another_layout_is_noticed(void**) {
  const Shared node;
  auto* const words = static_cast<std::uint64_t*>(node.memory());
  const std::uint64_t version = 1 << 16, bytes = 64;
  for (const std::uint64_t other : {words[0] + version, words[0] + bytes, words[0] - bytes, std::uint64_t{0}}) {
    const Shared memory;
    *static_cast<std::uint64_t*>(memory.memory()) = other;
    assert_false(memory->compatible());
  }
  assert_true(node->compatible());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_node_that_has_just_started),
      cmocka_unit_test(heartbeats),
      cmocka_unit_test(circuit_breaker),
      cmocka_unit_test(failure_is_shared),
      cmocka_unit_test(breaker_from_the_future),
      cmocka_unit_test(lives_have_all_values),
      cmocka_unit_test(another_process_sees_it),
      cmocka_unit_test(one_process_asks_for_all),
      cmocka_unit_test(redis_lives_are_never_mixed),
      cmocka_unit_test(a_reload_goes_on_with_it),
      cmocka_unit_test(another_layout_is_noticed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
