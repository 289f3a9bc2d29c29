#include "wazoauth/about/runtime_config.h"

namespace wazoauth {

namespace {

// Two bits for each setting: it was changed, and to what.
constexpr std::uint32_t debug_set = 1, debug_on = 2, profiling_set = 4, profiling_on = 8;

std::uint32_t with(std::uint32_t flags, std::uint32_t set, std::uint32_t on, bool value) {
  return (flags | set | on) & ~(value ? 0u : on);
}

}  // namespace

std::uint32_t RuntimeConfig::flags() const {
  return node_ ? node_->config_flags() : own_flags_.load();
}

void RuntimeConfig::store(std::uint32_t flags) {
  node_ ? node_->set_config_flags(flags) : own_flags_.store(flags);
}

bool RuntimeConfig::debug() const {
  const std::uint32_t flags = this->flags();
  return flags & debug_set ? (flags & debug_on) != 0 : settings_.debug;
}

bool RuntimeConfig::profiling() const {
  const std::uint32_t flags = this->flags();
  const Json& configured = settings_.tree.get("profiling_enabled");
  return flags & profiling_set ? (flags & profiling_on) != 0 : configured.is_boolean() && configured.boolean();
}

void RuntimeConfig::set_debug(bool value) {
  store(with(flags(), debug_set, debug_on, value));
}

void RuntimeConfig::set_profiling(bool value) {
  store(with(flags(), profiling_set, profiling_on, value));
}

}  // namespace wazoauth
