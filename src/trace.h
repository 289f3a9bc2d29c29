// The trace of a request, as W3C Trace Context has it: where wazo_auth_trace is on, the header traceparent is taken, or
// made where there is none that is valid, and goes on to the upstream; what this module logs of the request names it.
//
// Where nginx-otel traces the request, its ids are the request's. It works in the rewrite phase, so all is settled in
// the one after that.
#pragma once

#include "ngx.h"

namespace wazoauth::nginx {

// Empty where there is none. A subrequest has that of its request.
std::string_view traceparent(ngx_http_request_t* r) noexcept;

// Its trace, if it has one already; asks for none.
std::string_view known_trace_id(ngx_http_request_t* r);

}  // namespace wazoauth::nginx
