// What documents decide by. The path that counts is the client's, as nginx has normalized it to find a location: before
// a location's own `rewrite ... break`, and before proxy_pass cuts a prefix off. When a rewrite or a redirect leads
// from a path of a document to one of none, the former counts until a location has been asked about it; after that a
// redirect to another URI (a page for a refusal, try_files, X-Accel-Redirect) begins anew.
#pragma once

#include "conf.h"
#include "context.h"

namespace wazoauth::nginx {

// The part of the location's documents that the request lies in; null: they don't decide about it.
const Area* area_of(ngx_http_request_t* r, const LocConf& conf);

// False: they are in shadow.
bool documents_enforced(const LocConf& conf, const Area& area);
// Of what is judged: false when nothing is refused. Documents in shadow take nothing away from a `wazo_auth on`.
bool is_enforced(const LocConf& conf, const Area* area);

// In the rewrite phase of the server, where a URI begins, and in that of a location, which it has led to: remembers the
// path. Throws std::bad_alloc.
void begin_route(ngx_http_request_t* r);
void follow_route(ngx_http_request_t* r);

// In the access phase.
void settle_route(ngx_http_request_t* r);

// A header asks for another method than the request's: an upstream that obeys would do something else than what was
// asked for here.
bool overrides_method(ngx_http_request_t* r);

// The operation's accesses with the values of the path, but for those with a value that is refused. False: none is
// left.
bool make_accesses(ngx_http_request_t* r, const openapi::Match& match, RequestContext& context);

}  // namespace wazoauth::nginx
