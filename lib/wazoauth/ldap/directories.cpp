#include "wazoauth/ldap/directories.h"

#include <algorithm>

namespace wazoauth::ldap {

namespace {

constexpr std::size_t most_at_silent = 2;  // enough to notice that it is back
constexpr std::chrono::seconds remembered{60};
constexpr std::size_t many_states = 256;

}  // namespace

std::unique_ptr<Directories::Place> Directories::enter(const std::string& tenant_uuid, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (states_.size() >= many_states) forget(now);
  State& state = states_[tenant_uuid];
  const std::size_t most = now < state.silent_until ? std::min(most_, most_at_silent) : most_;
  if (state.inside >= most) return nullptr;
  ++state.inside;
  return std::make_unique<Place>(*this, tenant_uuid);
}

void Directories::leave(const std::string& tenant_uuid) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(tenant_uuid);
  State& state = found->second;
  if (--state.inside == 0 && state.silent_until == Clock::time_point{}) states_.erase(found);
}

bool Directories::note(const std::string& tenant_uuid, bool answered, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Clock::time_point& silent_until = states_[tenant_uuid].silent_until;
  const bool known_to_be_silent = silent_until > now;
  const bool news = answered ? silent_until != Clock::time_point{} : !known_to_be_silent;
  silent_until = answered ? Clock::time_point{} : now + remembered;
  return news;
}

void Directories::forget(Clock::time_point now) {
  std::erase_if(states_,
                [&](const auto& entry) { return entry.second.inside == 0 && entry.second.silent_until <= now; });
}

}  // namespace wazoauth::ldap
