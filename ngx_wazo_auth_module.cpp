// The front door: the directives, and the points where nginx calls the module. What is called lives in src/.
#include <algorithm>

#include "src/conf.h"
#include "src/handlers.h"
#include "src/process.h"

namespace {

using namespace wazoauth::nginx;

ngx_int_t postconfiguration(ngx_conf_t* cf);

ngx_conf_enum_t tenant_choices[] = {{ngx_string("off"), 0}, {ngx_string("header"), 1}, {ngx_null_string, 0}};
ngx_conf_enum_t denied_choices[] = {
    {ngx_string("403"), NGX_HTTP_FORBIDDEN}, {ngx_string("401"), NGX_HTTP_UNAUTHORIZED}, {ngx_null_string, 0}};
ngx_conf_enum_t preflight_choices[] = {{ngx_string("deny"), 0}, {ngx_string("pass"), 1}, {ngx_null_string, 0}};
ngx_conf_enum_t cache_choices[] = {{ngx_string("private"), 0}, {ngx_string("shared"), 1}, {ngx_null_string, 0}};
ngx_conf_enum_t enforce_choices[] = {{ngx_string("shadow"), 0}, {ngx_string("on"), 1}, {ngx_null_string, 0}};
ngx_conf_enum_t path_choices[] = {{ngx_string("loose"), 0}, {ngx_string("strict"), 1}, {ngx_null_string, 0}};

constexpr ngx_uint_t main_level = NGX_HTTP_MAIN_CONF;
constexpr ngx_uint_t location_level = NGX_HTTP_LOC_CONF;
constexpr ngx_uint_t every_level = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

// t/guards.py compares this table with conf.cpp and with conf/nginx/example.conf.
ngx_command_t commands[] = {
    {ngx_string("wazo_auth_config"), main_level | NGX_CONF_TAKE1, set_config, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_zone"), main_level | NGX_CONF_TAKE1, set_zone, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_database"), main_level | NGX_CONF_TAKE12, set_database, NGX_HTTP_MAIN_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("wazo_auth_redis"), main_level | NGX_CONF_TAKE1, set_redis, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_trusted_proxies"), main_level | NGX_CONF_1MORE, set_trusted_proxies,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_log"), main_level | NGX_CONF_TAKE12, set_log, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_trace"), every_level | NGX_CONF_FLAG, ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConf, trace), nullptr},
    {ngx_string("wazo_auth_api"), location_level | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_api, NGX_HTTP_LOC_CONF_OFFSET,
     0, nullptr},
    {ngx_string("wazo_auth_oauth2"), location_level | NGX_CONF_NOARGS, set_oauth2, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("wazo_auth"), every_level | NGX_CONF_FLAG, set_gate, NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, gate),
     nullptr},
    {ngx_string("wazo_auth_acl"), location_level | NGX_CONF_1MORE, set_acl, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_openapi"), every_level | NGX_CONF_1MORE, set_openapi, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_enforce"), every_level | NGX_CONF_TAKE1, set_enforce, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConf, enforce), enforce_choices},
    {ngx_string("wazo_auth_token_from"), every_level | NGX_CONF_1MORE, set_token_from, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("wazo_auth_tenant"), every_level | NGX_CONF_TAKE1, of_gate<ngx_conf_set_enum_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, tenant), tenant_choices},
    {ngx_string("wazo_auth_identity"), every_level | NGX_CONF_FLAG, of_gate<ngx_conf_set_flag_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, identity), nullptr},
    {ngx_string("wazo_auth_denied"), every_level | NGX_CONF_TAKE1, of_gate<ngx_conf_set_enum_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, denied), denied_choices},
    {ngx_string("wazo_auth_preflight"), every_level | NGX_CONF_TAKE1, of_gate<ngx_conf_set_enum_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, preflight), preflight_choices},
    {ngx_string("wazo_auth_path"), every_level | NGX_CONF_TAKE1, of_gate<ngx_conf_set_enum_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, path), path_choices},
    {ngx_string("wazo_auth_grace"), every_level | NGX_CONF_TAKE1, ngx_conf_set_msec_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConf, grace), nullptr},
    {ngx_string("wazo_auth_watch"), every_level | NGX_CONF_FLAG, set_watch, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConf, watch), nullptr},
    {ngx_string("wazo_auth_close_codes"), every_level | NGX_CONF_FLAG, of_gate<ngx_conf_set_flag_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, close_codes), nullptr},
    {ngx_string("wazo_auth_cache"), every_level | NGX_CONF_TAKE1, of_gate<ngx_conf_set_enum_slot>,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConf, cache), cache_choices},
    {ngx_string("wazo_auth_timeout"), every_level | NGX_CONF_TAKE1, set_timeout, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConf, timeout), nullptr},
    {ngx_string("wazo_auth_metrics"), location_level | NGX_CONF_NOARGS, set_metrics, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    {ngx_string("wazo_auth_ready"), location_level | NGX_CONF_NOARGS, set_ready, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_shadow_report"), location_level | NGX_CONF_NOARGS, set_shadow_report,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("wazo_auth_ui"), location_level | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_ui, NGX_HTTP_LOC_CONF_OFFSET, 0,
     nullptr},
    ngx_null_command,
};

ngx_http_module_t context = {
    add_variables,  // preconfiguration
    postconfiguration, create_main_conf, init_main_conf,
    nullptr,  // create server configuration
    nullptr,  // merge server configuration
    create_loc_conf,   merge_loc_conf,
};

bool add_handler(ngx_http_core_main_conf_t* core, ngx_http_phases phase, ngx_http_handler_pt handler) {
  auto* slot = static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[phase].handlers));
  if (slot) *slot = handler;
  return slot != nullptr;
}

// In front of those that are there. Handlers run from the last to the first, but those of the log phase the other way.
bool add_handler_in_front(ngx_http_core_main_conf_t* core, ngx_http_phases phase, ngx_http_handler_pt handler) {
  if (!add_handler(core, phase, handler)) return false;
  ngx_array_t& handlers = core->phases[phase].handlers;
  auto* first = static_cast<ngx_http_handler_pt*>(handlers.elts);
  std::rotate(first, first + handlers.nelts - 1, first + handlers.nelts);
  return true;
}

ngx_http_core_main_conf_t* core_of(ngx_conf_t* cf) {
  return static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
}

ngx_int_t postconfiguration(ngx_conf_t* cf) {
  auto* core = core_of(cf);
  // begin_handler and arrival_handler run before nginx's rewrite module, mask_handler before its log, last_word_handler
  // after all others.
  if (!finish_conf(cf) || !add_handler(core, NGX_HTTP_SERVER_REWRITE_PHASE, begin_handler) ||
      !add_handler(core, NGX_HTTP_REWRITE_PHASE, arrival_handler) ||
      !add_handler(core, NGX_HTTP_PREACCESS_PHASE, trace_handler) ||
      !add_handler_in_front(core, NGX_HTTP_ACCESS_PHASE, last_word_handler) ||
      !add_handler_in_front(core, NGX_HTTP_LOG_PHASE, mask_handler))
    return NGX_ERROR;
  next_header_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = header_filter;
  next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = body_filter;
  return NGX_OK;
}

// Modules of their own because they have another place, see `ngx_module_order` in modules.c and config.
ngx_int_t add_gate(ngx_conf_t* cf) {
  return add_handler(core_of(cf), NGX_HTTP_ACCESS_PHASE, gate_handler) ? NGX_OK : NGX_ERROR;
}

ngx_int_t add_cors_filter(ngx_conf_t*) {
  next_cors_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = cors_filter;
  return NGX_OK;
}

constexpr ngx_http_module_t only_adds(ngx_int_t (*postconfiguration)(ngx_conf_t*)) {
  return {nullptr, postconfiguration, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
}
ngx_http_module_t gate_context = only_adds(add_gate);
ngx_http_module_t cors_filter_context = only_adds(add_cors_filter);

}  // namespace

ngx_module_t ngx_wazo_auth_module = {
    NGX_MODULE_V1,
    &context,
    commands,
    NGX_HTTP_MODULE,
    nullptr,  // init master
    init_module,
    init_process,
    nullptr,  // init thread
    nullptr,  // exit thread
    exit_process,
    nullptr,  // exit master
    NGX_MODULE_V1_PADDING,
};

ngx_module_t ngx_wazo_auth_gate_module = {
    NGX_MODULE_V1,
    &gate_context,
    nullptr,  // directives
    NGX_HTTP_MODULE,
    nullptr,  // init master
    nullptr,  // init module
    nullptr,  // init process
    nullptr,  // init thread
    nullptr,  // exit thread
    nullptr,  // exit process
    nullptr,  // exit master
    NGX_MODULE_V1_PADDING,
};

ngx_module_t ngx_wazo_auth_cors_filter_module = {
    NGX_MODULE_V1,
    &cors_filter_context,
    nullptr,  // directives
    NGX_HTTP_MODULE,
    nullptr,  // init master
    nullptr,  // init module
    nullptr,  // init process
    nullptr,  // init thread
    nullptr,  // exit thread
    nullptr,  // exit process
    nullptr,  // exit master
    NGX_MODULE_V1_PADDING,
};
