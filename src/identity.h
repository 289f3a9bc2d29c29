// The caller's identity for the upstream, in headers that no client can forge.
#pragma once

#include "ngx.h"
#include "wazoauth/cache/zone.h"

namespace wazoauth::nginx {

// Takes Wazo-User-UUID, Wazo-Token-Tenant-UUID and Wazo-Session-UUID, in any spelling with '-' or '_', out of the
// request. False: memory is short.
bool clear_identity(ngx_http_request_t* r);

// What is empty stays unset.
bool set_identity(ngx_http_request_t* r, const TokenFacts& facts);

}  // namespace wazoauth::nginx
