// Who a request comes from, before the gate is asked: for limit_req and limit_conn, which run earlier.
#pragma once

#include "ngx.h"
#include "wazoauth/cache/token_facts.h"

namespace wazoauth::nginx {

// From the moment when the location is settled until the gate is asked: facts of the request's one token, if the zone
// knows it and the gate would take it for alive. No variable says what a client can choose, nor what the gate takes
// back.
bool identify_early(ngx_http_request_t* r, TokenFacts& facts);

}  // namespace wazoauth::nginx
