// What this module knows of one request. Lies in the request's pool, and holds nothing that has a destructor.
#pragma once

#include <type_traits>

#include "ngx.h"
#include "wazoauth/gate/verdict.h"

namespace wazoauth::nginx {

enum class Status { none, hit, miss, grace, preflight, denied, unknown, no_token, refused, unavailable, shadow };
// Why it was refused.
enum class Reason {
  none,
  no_token,
  unknown_token,
  revoked_token,
  expired_token,
  missing_access,
  unusable_access,    // a variable's value, or a part of the path, can't be part of an access
  unknown_operation,  // no document has it
  foreign_tenant,
  locked_address,
  ambiguous_path,
  ambiguous_method,
  ambiguous_token,
  ambiguous_tenant,
  database_away,
  overload,
  timeout,
  names,  // how many there are
};

struct RequestContext {
  ngx_http_request_t* request;

  void* call;  // the API's, see api.cpp

  // What the request is called by who traces it, see trace.h; empty while nobody has asked.
  ngx_str_t traceparent;
  bool trace_is_ours;  // no header of the request's has it yet

  // The gate.
  enum class Stage { fresh, loading, loaded, asking_tenant, tenant_known, done } stage;
  Status status;
  Reason reason;
  ngx_str_t route;           // the path that documents decide by, see routes.h; empty: none of theirs
  bool route_settled;        // the location that it led to was asked
  std::size_t slot;          // of what judges, in Shadow
  ngx_str_t query;           // the client's own, as it came: nginx's redirects lose it, `strip` takes from it
  ngx_array_t* captured_of;  // LocConf::captured
  ngx_http_variable_value_t* captured;  // ... and the values, in its order
  ngx_str_t token;
  ShownToken shown;  // ... and what the zone finds it by
  TokenFacts facts;
  bool identified;   // facts are those of a live token
  bool passed;       // ... and it has the access
  bool watch;        // ... and what it gets ends with it
  bool close_codes;  // the end of a WebSocket is told within it
  gate::Verdict verdict;
  bool has_access;             // an access is required
  ngx_str_t* accesses;         // any of them will do
  const acl::Required* ready;  // the only one, when it is the same for every request; null: it isn't
  ngx_uint_t access_count;
  ngx_str_t required;      // the one that it has; all of them, for people, when it has none
  bool required_refused;   // variables' values can't be part of an access
  bool unknown_operation;  // ... because no document has the operation
  std::int64_t grace_ms;   // of the location that judged
  const char* challenge;   // ... and its WWW-Authenticate
  unsigned tenant_reads;
  ngx_queue_t waiters;  // the list of a load in which it waits
  bool linked;
  ngx_event_t timer;  // runs while it waits
  ngx_msec_t parked_at, waited_ms;
  bool timed_out;
  bool cleanup_added;
  std::int64_t began_ns;   // when the gate began with it, 0: nobody asks how long it takes; see time_ns()
  std::int64_t parked_ns;  // when it began to wait for its token
  bool held_back;          // it has refused, and others may still let the request in

  // Takes the place of nginx's page for this status.
  ngx_int_t page_status;
  ngx_str_t page;
  ngx_str_t retry_after;
  bool closes;  // the page is a close frame, for a WebSocket that is accepted to be refused
  bool replacing, replaced;

  void stop_waiting() {
    if (linked) {
      ngx_queue_remove(&waiters);  // a macro of several statements
    }
    linked = false;
    if (!timer.timer_set) return;
    ngx_del_timer(&timer);
    waited_ms += ngx_current_msec - parked_at;
  }
};
static_assert(std::is_trivially_destructible_v<RequestContext>);

// The request's context, also after an internal redirect, which begins at Stage::fresh again. Null: there is none.
RequestContext* find_context(ngx_http_request_t* r);
// ... and makes one. Null when memory is short.
RequestContext* get_context(ngx_http_request_t* r);

const char* status_name(Status status);
const char* reason_name(Reason reason);

}  // namespace wazoauth::nginx
