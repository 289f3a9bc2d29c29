// How many connections to PostgreSQL this nginx may open, and what of them API requests may use.
#pragma once

#include "conf.h"

namespace wazoauth::nginx {

struct ConnectionPlan {
  int workers;
  int requests;  // of each worker, for API requests
  int most;      // of this nginx, while it neither starts nor reloads
  int least;     // with one for the API requests of each worker
};

ConnectionPlan plan_connections(ngx_cycle_t* cycle, const MainConf& conf);

// Warns of a `connections=` that can't be kept.
void check_connections(ngx_cycle_t* cycle, const MainConf& conf);

}  // namespace wazoauth::nginx
