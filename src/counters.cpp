#include "counters.h"

namespace wazoauth::nginx::counter {

Name of(Status refusal) {
  switch (refusal) {
    case Status::denied:
      return denied;
    case Status::unknown:
      return unknown;
    case Status::no_token:
      return no_token;
    case Status::unavailable:
      return unavailable;
    default:
      return refused;
  }
}

}  // namespace wazoauth::nginx::counter
