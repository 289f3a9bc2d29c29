#include "wazoauth/cache/node_state.h"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace wazoauth {

namespace {

// An end further ahead than the longest break isn't believed.
bool is_open(BootTime until, BootTime now) {
  return now < until && until - now <= NodeState::longest_break;
}

// 0 for a life that isn't known. Numbers of two different lives don't match it.
std::uint64_t check_of(const RedisLife& life) {
  return life.life ^ std::rotl(life.server, 32);
}

}  // namespace

// "wazno", then the version of the layout, then the size: raise the version with a change that keeps the size.
const std::uint64_t NodeState::layout =
    std::uint64_t{0x6f'6e'7a'61'77} << 24 | std::uint64_t{2} << 16 | std::uint64_t{sizeof(NodeState)};

NodeState::NodeState() noexcept {
  static_assert(std::is_trivially_destructible_v<NodeState> && sizeof(NodeState) < (1 << 16));
  layout_.store(layout);
}

bool NodeState::listening(BootTime now) const {
  const BootTime last = last_heartbeat();
  return last != BootTime() && std::chrono::abs(now - last) <= good_for;
}

RedisLife NodeState::redis_life() const {
  const RedisLife life{redis_life_.load(), redis_server_.load()};
  return redis_check_.load() == check_of(life) ? life : RedisLife{};
}

void NodeState::set_redis_life(const RedisLife& life) {
  redis_check_.store(check_of(life));
  redis_server_.store(life.server);
  redis_life_.store(life.life);
}

bool NodeState::database_away(BootTime now) const {
  return is_open(breaker_open_until_.load(), now);
}

void NodeState::open_breaker(BootTime now, std::chrono::milliseconds time) {
  last_failure_.store(now);
  breaker_open_until_.store(now + std::min(time, longest_break));
}

bool NodeState::try_database(BootTime now) {
  BootTime until = breaker_open_until_.load();
  if (until == BootTime()) return true;
  return !is_open(until, now) && breaker_open_until_.compare_exchange_strong(until, now + longest_break);
}

}  // namespace wazoauth
