// The settings that PATCH /config changes until the next start. Kept in the zone, so all workers of this nginx see
// them.
#pragma once

#include <atomic>
#include <cstdint>

#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"

namespace wazoauth {

class RuntimeConfig {
 public:
  RuntimeConfig(const Settings& settings, Zone* zone) : settings_(settings), zone_(zone) {}

  bool debug() const;
  bool profiling() const;
  void set_debug(bool value);
  void set_profiling(bool value);

 private:
  std::uint32_t flags() const;
  void store(std::uint32_t flags);

  const Settings& settings_;
  Zone* zone_;  // null: `own_flags_`
  std::atomic<std::uint32_t> own_flags_{0};
};

}  // namespace wazoauth
