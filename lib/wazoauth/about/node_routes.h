// What this nginx did in the last hour, and what it is at: docs/spec/endpoints.md section 17.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wazoauth/base/history.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

struct NodeReport {
  struct Pool {
    std::string name;
    std::uint64_t threads = 0, busy = 0, waiting = 0;
  };
  struct Certificate {
    std::string name;
    std::int64_t ends_at;  // Unix seconds
  };

  std::int64_t since = 0;                // when counters began, in Unix seconds
  std::vector<History::Sample> samples;  // the last one is of now
  std::vector<Certificate> certificates;
  std::uint64_t workers = 0, connections = 0, connections_in_use = 0, connections_most = 0;
  std::vector<Pool> pools;
  std::uint64_t upgraded = 0;                                   // connections, and watched answers
  std::uint64_t known = 0, room = 0, evicted = 0, revoked = 0;  // tokens in memory
  std::uint64_t address_locks = 0, delayed_logins = 0;
};

void add_node_route(Router& router, std::function<NodeReport()> report);  // any thread may call it

}  // namespace wazoauth
