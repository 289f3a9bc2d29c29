// How this nginx is, from what its processes have noted in memory: nobody is asked, so nobody is waited for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/cache/node_state.h"

namespace wazoauth {

struct Health {
  // live: it answers, and can't do its work. degraded: it does, and something that it needs for long is missing.
  enum class State { live, degraded, ready };
  State state = State::ready;
  std::vector<std::string> why;  // components that fail
  Json components = Json::object();
};

std::string_view state_name(Health::State state);

Health health_of(const NodeState& node, const Meters& meters, BootTime now);
// Each value is an object with "status", "ok" or "fail", as other Wazo daemons' GET /status has them.
Json health_body(const Health& health);

}  // namespace wazoauth
