/* What nginx looks for in a dynamic module. */

#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t  ngx_wazo_auth_module;
extern ngx_module_t  ngx_wazo_auth_cors_filter_module;

ngx_module_t *ngx_modules[] = {
    &ngx_wazo_auth_module,
    &ngx_wazo_auth_cors_filter_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_wazo_auth_module",
    "ngx_wazo_auth_cors_filter_module",
    NULL
};

/* In front of here is later in the chain of filters. */
char *ngx_module_order[] = {
    "ngx_wazo_auth_cors_filter_module",
    "ngx_http_headers_filter_module",
    NULL
};
