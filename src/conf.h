// What the directives say, as the master reads it. Nothing here changes after the configuration was read.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "certificates.h"
#include "meters.h"
#include "ngx.h"
#include "own_logs.h"
#include "rewrites.h"
#include "routes.h"
#include "shadow.h"
#include "wazoauth/acl/required.h"
#include "wazoauth/config/settings.h"

namespace wazoauth::nginx {

// Where a token may stand in a request.
struct TokenSource {
  enum Kind { header, bearer, query, cookie } kind;
  ngx_str_t name;  // of a header in lower case
  bool strip;      // of a query parameter: the upstream doesn't see it
};

// A piece of a required access: a literal, or a variable's value.
struct AccessPart {
  ngx_str_t literal;
  ngx_int_t variable;  // index, or NGX_CONF_UNSET
};

using Access = ngx_array_t;  // AccessPart

struct Accesses {
  ngx_array_t any;             // Access: one of them has to be granted
  const acl::Required* ready;  // the only one, without variables; null: it isn't so
  Place place;
};

template <typename Visit>
void each_part(const Accesses& accesses, Visit visit) {
  const auto* alternatives = static_cast<const Access*>(accesses.any.elts);
  for (ngx_uint_t i = 0; i < accesses.any.nelts; ++i) {
    const auto* parts = static_cast<const AccessPart*>(alternatives[i].elts);
    for (ngx_uint_t j = 0; j < alternatives[i].nelts; ++j) visit(parts[j]);
  }
}

// A variable in a required access, but for captures of the location.
struct AskedVariable {
  const void* server;
  ngx_int_t index;
  Place place;
};

// Variables of nginx's whose value it keeps, though we change what they tell of: indexes, -1 for what nobody asks for.
struct KeptVariables {
  ngx_int_t request = -1, request_uri = -1, referer = -1;
  std::array<ngx_int_t, 3> identity{-1, -1, -1};
  std::array<ngx_int_t, 2> trace{-1, -1};     // the headers
  ngx_int_t otel_trace = -1, otel_span = -1;  // of nginx-otel, where it is loaded
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
  std::vector<OwnLog> own_logs;          // wazo_auth_log
  Place database_place{};                // of wazo_auth_database
  Place needed_by{};                     // the first directive that can't do without a configuration and a zone
  bool watches = false;                  // somewhere an answer ends with its token
  bool traces = false;                   // somewhere requests have a traceparent
  KeptVariables kept;
  PositionalCaptures positional;
  std::vector<AskedVariable> asked;
  std::vector<const Routes*> routes;  // of every level
  bool shadows = false;               // somewhere wazo_auth_enforce is shadow
  Shadow shadow;
  SharedMeters::Declaration meters;
  std::vector<Certificate> certificates;
};

struct LocConf {
  // What of ours answers here: not inherited, but for `if` and `limit_except`.
  ngx_http_handler_pt handler;
  ngx_str_t prefix;
  ngx_flag_t entrance;      // one comes here to get a token: gated only if this very location says so
  ngx_flag_t gate;          // is it gated?
  ngx_flag_t gate_inside;   // ... as locations inside inherit it
  Accesses* access;         // null: any live token
  Routes* routes;           // the documents that decide about their paths; null: none
  ngx_uint_t enforce;       // 1: on; 0: in shadow nothing is refused
  ngx_array_t* token_from;  // TokenSource
  ngx_uint_t tenant;
  ngx_flag_t identity;
  ngx_uint_t denied;     // 403 or 401
  ngx_uint_t preflight;  // 1: may pass
  ngx_uint_t path;       // 1: strict
  ngx_msec_t grace;
  ngx_flag_t watch;        // answers end with their token
  ngx_flag_t close_codes;  // refusals and ends of WebSockets are told within them
  ngx_uint_t cache;        // 1: an answer may be stored for everybody
  ngx_msec_t timeout;      // of a request that waits for what the gate has to know
  ngx_flag_t trace;        // requests have a traceparent

  // What no directive says, but where they stand, and what else does:
  Routes* routes_inside;    // `routes` as locations inside inherit it
  ngx_flag_t token_always;  // `wazo_auth on` stands nearer than they do: what they leave open needs a token
  Place begin;              // of the block
  ngx_flag_t decided;       // `wazo_auth` stands here or around
  Place directive;          // the first of the gate's that stands here, in a location
  ngx_array_t* named;       // indexes of the variables that the location's own regular expressions set
  ngx_array_t* captured;    // those of them that are part of the access; null: none
  std::size_t slot;         // of the location in Shadow
  GateMeter* meter;         // of the location
};

// Of the database: the directive's, else the YAML's. Needs settings.
std::string conninfo(const MainConf& conf);

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
// After all of the configuration was read. False: something in it is wrong, and was logged.
bool finish_conf(ngx_conf_t* cf);

// The directive that is being read.
Place here(ngx_conf_t* cf);
// A location that has a directive of the gate has to be gated, or to say that it isn't.
void remember_gate_directive(ngx_conf_t* cf, void* conf);
template <char* (*setter)(ngx_conf_t*, ngx_command_t*, void*)>
char* of_gate(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  remember_gate_directive(cf, conf);
  return setter(cf, command, conf);
}

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
char* set_openapi(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_enforce(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_watch(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_timeout(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_token_from(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_log(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_metrics(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_ready(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_shadow_report(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_ui(ngx_conf_t* cf, ngx_command_t* command, void* conf);

}  // namespace wazoauth::nginx
