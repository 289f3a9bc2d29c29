// A request of the API, as the core wants it.
#pragma once

#include "conf.h"
#include "wazoauth/http/http.h"

namespace wazoauth::nginx {

// Everything but the body. The path is the raw one, below the location's prefix; who the client is, and under which
// address it sees us, is told by trusted proxies or by nginx itself.
Request make_request(ngx_http_request_t* r, const MainConf& main, const LocConf& conf);

// The client's address alone, as it is in a request.
std::string client_address(ngx_http_request_t* r, const MainConf& main);

// Where this request may have temporary files: its client_body_temp_path.
std::string temporary_folder(ngx_http_request_t* r);

// The body that nginx has read, from memory or a temporary file. False: it could not be read.
bool copy_body(ngx_http_request_t* r, std::string& body);

}  // namespace wazoauth::nginx
