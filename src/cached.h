// proxy_cache and its like behind the gate: what one user got is nobody else's.
#pragma once

#include "ngx.h"

namespace wazoauth::nginx {

// For the header filter. An answer to a token isn't stored, unless the key of the cache has something of whose it is,
// or wazo_auth_cache says that the answer is everybody's.
void keep_private(ngx_http_request_t* r) noexcept;

}  // namespace wazoauth::nginx
