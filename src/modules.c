/* What nginx looks for in a dynamic module. */

#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t  ngx_wazo_auth_module;

ngx_module_t *ngx_modules[] = {
    &ngx_wazo_auth_module,
    NULL
};

char *ngx_module_names[] = {
    "ngx_wazo_auth_module",
    NULL
};

char *ngx_module_order[] = {
    NULL
};
