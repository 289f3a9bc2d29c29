/* What nginx looks for in a dynamic module. */

#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t  ngx_wazo_auth_module;
extern ngx_module_t  ngx_wazo_auth_gate_module;
extern ngx_module_t  ngx_wazo_auth_cors_filter_module;

ngx_module_t *ngx_modules[] = {
    &ngx_wazo_auth_module,
    &ngx_wazo_auth_gate_module,
    &ngx_wazo_auth_cors_filter_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_wazo_auth_module",
    "ngx_wazo_auth_gate_module",
    "ngx_wazo_auth_cors_filter_module",
    NULL
};

/* Each one stands in front of those that follow it here; what stands in front runs later, in phases and among filters. */
char *ngx_module_order[] = {
    "ngx_wazo_auth_gate_module",
    "ngx_http_auth_basic_module",
    "ngx_http_access_module",
    "ngx_wazo_auth_cors_filter_module",
    "ngx_http_headers_filter_module",
    NULL
};
