// Counters of this nginx, in the zone.
#pragma once

#include "context.h"

namespace wazoauth::nginx::counter {

// Numbers of the zone's counters. The order is the layout that workers of two configurations share: append only.
enum : unsigned {
  hits,
  misses,
  preflights,
  denied,
  unknown,
  no_token,
  refused,
  unavailable,
  api_from_zone,
  api_answers,
  api_errors,
  logins_delayed,
  logins_refused,
  overloads,
  upgrades_ended,
  events_dropped,
  named,  // how many there are
};

unsigned of(Status refusal);

}  // namespace wazoauth::nginx::counter
