// Creation, defaults and inheritance of what the directives say.
#include "conf.h"

#include <algorithm>
#include <new>

#include "handlers.h"
#include "wazoauth/store/connection_string.h"

namespace wazoauth::nginx {

void* create_main_conf(ngx_conf_t* cf) {
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, sizeof(MainConf));
  if (!cleanup) return nullptr;
  auto* conf = new (cleanup->data) MainConf{};
  cleanup->handler = [](void* data) { static_cast<MainConf*>(data)->~MainConf(); };

  // zeroed above: config, zone, database, redis
  conf->connections = NGX_CONF_UNSET;
  conf->trusted_proxies = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
  return conf;
}

namespace {

bool add_cidr(ngx_array_t* list, const char* text) {
  auto* cidr = static_cast<ngx_cidr_t*>(ngx_array_push(list));
  if (!cidr) return false;
  *cidr = {};
  if (std::string_view(text) == "unix:") {
    cidr->family = AF_UNIX;
    return true;
  }
  ngx_str_t value{ngx_strlen(text), reinterpret_cast<u_char*>(const_cast<char*>(text))};
  return ngx_ptocidr(&value, cidr) != NGX_ERROR;
}

ngx_array_t* default_proxies(ngx_conf_t* cf) {
  ngx_array_t* list = ngx_array_create(cf->pool, 3, sizeof(ngx_cidr_t));
  if (!list || !add_cidr(list, "127.0.0.1") || !add_cidr(list, "::1") || !add_cidr(list, "unix:")) return nullptr;
  return list;
}

ngx_array_t* default_sources(ngx_conf_t* cf) {
  ngx_array_t* list = ngx_array_create(cf->pool, 1, sizeof(TokenSource));
  auto* source = list ? static_cast<TokenSource*>(ngx_array_push(list)) : nullptr;
  if (!source) return nullptr;
  *source = {TokenSource::header, ngx_string("x-auth-token"), false};
  return list;
}

// ngx_http_core_module has merged its own already.
void remember_log(ngx_conf_t* cf) {
  auto* conf = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_wazo_auth_module));
  auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (core->error_log && std::find(conf->logs.begin(), conf->logs.end(), core->error_log) == conf->logs.end())
    conf->logs.push_back(core->error_log);
}

// Without wazo_auth_database the YAML names the database.
char* check_database(ngx_conf_t* cf, const MainConf& conf) {
  if (!conf.settings || conf.database.len) return NGX_CONF_OK;
  try {
    DatabaseOptions options;
    options.conninfo = conf.settings->db_uri;
    connection_string(options);
    return NGX_CONF_OK;
  } catch (const std::exception& e) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "db_uri of %V: %s", &conf.config, e.what());
    return static_cast<char*>(NGX_CONF_ERROR);
  }
}

char* missing(ngx_conf_t* cf, const MainConf& conf, const char* directive) {
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%s\" needs \"%s\" in the http block, in %s:%ui", conf.needed_by.c_str(),
                directive, conf.needed_file.c_str(), conf.needed_line);
  return static_cast<char*>(NGX_CONF_ERROR);
}

}  // namespace

char* init_main_conf(ngx_conf_t* cf, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  ngx_conf_init_value(conf->connections, 0);
  if (conf->trusted_proxies == NGX_CONF_UNSET_PTR) conf->trusted_proxies = default_proxies(cf);
  if (!conf->trusted_proxies) return static_cast<char*>(NGX_CONF_ERROR);
  if (char* problem = check_database(cf, *conf); problem != NGX_CONF_OK) return problem;
  if (conf->needed_by.empty()) return NGX_CONF_OK;
  if (!conf->settings) return missing(cf, *conf, "wazo_auth_config");
  if (!conf->zone) return missing(cf, *conf, "wazo_auth_zone");
  return NGX_CONF_OK;
}

void* create_loc_conf(ngx_conf_t* cf) {
  auto* conf = static_cast<LocConf*>(ngx_pcalloc(cf->pool, sizeof(LocConf)));
  if (!conf) return nullptr;
  // set by ngx_pcalloc(): handler, prefix, entrance
  conf->gate = conf->gate_inside = NGX_CONF_UNSET;
  conf->access = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
  conf->token_from = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
  conf->tenant = NGX_CONF_UNSET_UINT;
  conf->identity = NGX_CONF_UNSET;
  conf->denied = NGX_CONF_UNSET_UINT;
  conf->preflight = NGX_CONF_UNSET_UINT;
  conf->path = NGX_CONF_UNSET_UINT;
  conf->grace = NGX_CONF_UNSET_MSEC;
  return conf;
}

namespace {

void merge_handler(ngx_conf_t* cf, const LocConf& prev, LocConf& conf) {
  auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (!core->noname || core->handler || !prev.handler) return;
  core->handler = conf.handler = prev.handler;
  conf.prefix = prev.prefix;
  conf.gate = prev.gate;
}

// An entrance asks nobody for what it hands out, whatever the server says of its other locations. Those inside of it
// inherit as if it weren't one.
void merge_gate(const LocConf& prev, LocConf& conf) {
  const bool said_here = conf.gate != NGX_CONF_UNSET;
  ngx_conf_merge_value(conf.gate_inside, prev.gate_inside, 0);
  if (!said_here) conf.gate = conf.entrance ? 0 : conf.gate_inside;
}

}  // namespace

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) {
  auto* prev = static_cast<LocConf*>(parent);
  auto* conf = static_cast<LocConf*>(child);
  remember_log(cf);
  merge_handler(cf, *prev, *conf);
  merge_gate(*prev, *conf);
  ngx_conf_merge_ptr_value(conf->access, prev->access, nullptr);
  if (prev->token_from == NGX_CONF_UNSET_PTR) prev->token_from = default_sources(cf);
  if (!prev->token_from) return static_cast<char*>(NGX_CONF_ERROR);
  ngx_conf_merge_ptr_value(conf->token_from, prev->token_from, nullptr);
  ngx_conf_merge_uint_value(conf->tenant, prev->tenant, 0);
  ngx_conf_merge_value(conf->identity, prev->identity, 0);
  ngx_conf_merge_uint_value(conf->denied, prev->denied, NGX_HTTP_FORBIDDEN);
  ngx_conf_merge_uint_value(conf->preflight, prev->preflight, 1);
  ngx_conf_merge_uint_value(conf->path, prev->path, 1);
  ngx_conf_merge_msec_value(conf->grace, prev->grace, 60000);
  return NGX_CONF_OK;
}

}  // namespace wazoauth::nginx
