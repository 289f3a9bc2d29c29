// Finding the token, the required access and the wanted tenant in a request.
#pragma once

#include "conf.h"
#include "context.h"

namespace wazoauth::nginx {

enum class Found { none, one, several };

// Remembers the client's own arguments where they may hold a token. With `strips`, parameters to be stripped leave
// the request's arguments and its raw target.
void keep_query(ngx_http_request_t* r, const LocConf& conf, bool strips);

// Remembers what the location's regular expression captured, where that is part of the access.
void keep_captures(ngx_http_request_t* r, const LocConf& conf);

// Every place that the location names is looked at, and with `in_query` the query's `token`; equal copies count once.
// The token lives as long as the request.
Found find_token(ngx_http_request_t* r, const LocConf& conf, bool in_query, RequestContext& context);

// "" when the header is absent. False: it is there with different values.
bool find_wanted_tenant(ngx_http_request_t* r, std::string_view& tenant);

// The required accesses with their variables' values, but for those with a value that is refused. False: none is left.
// Only when conf.access is set.
bool make_accesses(ngx_http_request_t* r, const LocConf& conf, RequestContext& context);

// OPTIONS with Origin and Access-Control-Request-Method, and nothing by which an upstream could take it for something
// else: a body, an upgrade, another method. Browsers send none of these with it.
bool is_preflight(ngx_http_request_t* r);

// No body, no upgrade, and no header that names another method.
bool has_nothing_but_a_method(ngx_http_request_t* r);

}  // namespace wazoauth::nginx
