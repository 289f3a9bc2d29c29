// The points where nginx calls this module while it serves requests.
#pragma once

#include "ngx.h"

namespace wazoauth::nginx {

ngx_int_t begin_handler(ngx_http_request_t* r);    // server rewrite: where a path begins
ngx_int_t arrival_handler(ngx_http_request_t* r);  // rewrite: what must not be seen, or changed, later in a location
ngx_int_t trace_handler(ngx_http_request_t* r);    // preaccess: what it is called by who traces it, for all that follow
ngx_int_t gate_handler(ngx_http_request_t* r);     // access, after nginx's own allow, deny and auth_basic
ngx_int_t last_word_handler(ngx_http_request_t* r);      // access, last: a refusal for which `satisfy any` waits
ngx_int_t api_handler(ngx_http_request_t* r);            // content
ngx_int_t oauth2_handler(ngx_http_request_t* r);         // content
ngx_int_t metrics_handler(ngx_http_request_t* r);        // content
ngx_int_t ready_handler(ngx_http_request_t* r);          // content
ngx_int_t shadow_report_handler(ngx_http_request_t* r);  // content
ngx_int_t ui_handler(ngx_http_request_t* r);             // content
ngx_int_t mask_handler(ngx_http_request_t* r);           // log: hides tokens in $request and $http_referer

ngx_int_t header_filter(ngx_http_request_t* r);
ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in);
extern ngx_http_output_header_filter_pt next_header_filter;
extern ngx_http_output_body_filter_pt next_body_filter;
ngx_int_t cors_filter(ngx_http_request_t* r);  // headers, after nginx's own have been added
extern ngx_http_output_header_filter_pt next_cors_filter;

ngx_int_t add_variables(ngx_conf_t* cf);

}  // namespace wazoauth::nginx
