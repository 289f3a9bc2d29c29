// The settings that PATCH /config changes until the next start. Part of the state of the node, so all workers of this
// nginx see them.
#pragma once

#include <atomic>
#include <cstdint>

#include "wazoauth/cache/node_state.h"
#include "wazoauth/config/settings.h"

namespace wazoauth {

class RuntimeConfig {
 public:
  RuntimeConfig(const Settings& settings, NodeState* node) : settings_(settings), node_(node) {}

  bool debug() const;
  bool profiling() const;
  void set_debug(bool value);
  void set_profiling(bool value);

 private:
  std::uint32_t flags() const;
  void store(std::uint32_t flags);

  const Settings& settings_;
  NodeState* node_;  // null: `own_flags_`
  std::atomic<std::uint32_t> own_flags_{0};
};

}  // namespace wazoauth
