// Answers of ours: whole ones, and bodies in place of nginx's own pages.
#pragma once

#include "context.h"
#include "wazoauth/http/http.h"
#include "wazoauth/http/problem.h"

namespace wazoauth::nginx {

// Adds a header to the answer. False: memory is short.
bool push(ngx_http_request_t* r, std::string_view name, std::string_view value);

// Sends the answer; what it returns is for ngx_http_finalize_request().
ngx_int_t send(ngx_http_request_t* r, Response response);

Response to_response(const Problem& problem);

// Returns the status for the phase engine. nginx makes its usual page of it (so `satisfy` and `error_page` work), and
// the filters put the problem's body in its place.
ngx_int_t answer_in_place_of_page(ngx_http_request_t* r, RequestContext& context, const Problem& problem);

}  // namespace wazoauth::nginx
