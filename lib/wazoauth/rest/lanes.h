// The lanes: work that may block runs on threads, and each kind of it has some of its own in every worker. They start
// when there is work for them.
//
// A lane is one line here; the pools, the metrics and the tables in docs/operations.md (by a guard) come from it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace wazoauth {

// name, threads of each worker at most, and how many jobs may wait for one of them. `connections` to PostgreSQL has the
// worker for API requests, and `cpu_threads` for CPU work.
// clang-format off
#define WAZO_AUTH_LANES(lane)                                                                                          \
  lane(database,  std::max(2U, connections), 1024) /* short work that talks to PostgreSQL */                           \
  lane(hashing,   cpu_threads,               256)  /* 60-100 ms of CPU for a password; no connection */               \
  lane(cpu,       cpu_threads,               64)   /* signatures; no connection */                                     \
  lane(loading,   1,                         8192) /* tokens and the tree of tenants, for the gate */                  \
  lane(mail,      8,                         32)   /* waits for the mail server, within a limit; no connection */      \
  lane(directory, 32,                        256)  /* waits for the LDAP server of a tenant, likewise */               \
  lane(external,  16,                        256)  /* the same for external services */
// clang-format on

enum class Lane {
#define WAZO_AUTH_LANE(name, threads, queue) name,
  WAZO_AUTH_LANES(WAZO_AUTH_LANE)
#undef WAZO_AUTH_LANE
};

struct LaneSize {
  std::string_view name;
  const char* thread_name;
  unsigned (*threads)(unsigned connections, unsigned cpu_threads);
  std::size_t queue;
};

// In the order of the enum.
inline constexpr LaneSize lanes[] = {
#define WAZO_AUTH_LANE(name, threads, queue)                                                                    \
  {#name, "lane-" #name,                                                                                        \
   []([[maybe_unused]] unsigned connections, [[maybe_unused]] unsigned cpu_threads) { return 0U + (threads); }, \
   queue},
    WAZO_AUTH_LANES(WAZO_AUTH_LANE)
#undef WAZO_AUTH_LANE
};

constexpr const LaneSize& size_of(Lane lane) {
  return lanes[static_cast<std::size_t>(lane)];
}

}  // namespace wazoauth
