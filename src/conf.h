// What the directives say, as the master reads it. Nothing here changes after the configuration was read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ngx.h"
#include "wazoauth/config/settings.h"

namespace wazoauth::nginx {

// Where a token may stand in a request.
struct TokenSource {
  enum Kind { header, bearer, query, cookie } kind;
  ngx_str_t name;  // of a header in lower case
  bool strip;      // of a query parameter: the upstream doesn't see it
};

// A piece of a required access: a literal, or a variable's value, or what a regular expression captured.
struct AccessPart {
  ngx_str_t literal;
  ngx_int_t variable;  // index, or NGX_CONF_UNSET
  ngx_int_t capture;   // 1 to 9, or NGX_CONF_UNSET
};

struct MainConfBase {
  ngx_str_t config;
  ngx_shm_zone_t* zone;
  ngx_str_t database;
  ngx_int_t connections;
  ngx_str_t redis;
  ngx_array_t* trusted_proxies;  // ngx_cidr_t
};

struct MainConf : MainConfBase {
  std::optional<Settings> settings;
  std::vector<std::string> query_names;  // of every query source, and of answers to nginx itself: hidden in logs
  std::vector<ngx_log_t*> logs;          // of every location
  // The first directive that can't do without a configuration and a zone.
  std::string needed_by, needed_file;
  ngx_uint_t needed_line = 0;
};

struct LocConf {
  // What of ours answers here: not inherited, but for `if` and `limit_except`.
  ngx_http_handler_pt handler;
  ngx_str_t prefix;
  ngx_flag_t entrance;      // one comes here to get a token: gated only if this very location says so
  ngx_flag_t gate;          // is it gated?
  ngx_flag_t gate_inside;   // ... as locations inside inherit it
  ngx_array_t* access;      // AccessPart; null: any live token
  ngx_array_t* token_from;  // TokenSource
  ngx_uint_t tenant;
  ngx_flag_t identity;
  ngx_uint_t denied;     // 403 or 401
  ngx_uint_t preflight;  // 1: may pass
  ngx_uint_t path;       // 1: strict
  ngx_msec_t grace;
};

inline MainConf& main_conf(ngx_http_request_t* r) {
  return *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_wazo_auth_module));
}
inline LocConf& loc_conf(ngx_http_request_t* r) {
  return *static_cast<LocConf*>(ngx_http_get_module_loc_conf(r, ngx_wazo_auth_module));
}

void* create_main_conf(ngx_conf_t* cf);
char* init_main_conf(ngx_conf_t* cf, void* conf);
void* create_loc_conf(ngx_conf_t* cf);
char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child);

// Setters of the directives that nginx's own setters can't read.
char* set_config(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_zone(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_database(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_redis(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_trusted_proxies(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_api(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_oauth2(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_gate(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_acl(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_token_from(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_metrics(ngx_conf_t* cf, ngx_command_t* command, void* conf);

}  // namespace wazoauth::nginx
