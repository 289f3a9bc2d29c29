// Creation, defaults and inheritance of what the directives say.
#include "conf.h"

#include <algorithm>
#include <new>

#include "handlers.h"
#include "wazoauth/store/connection_string.h"
#include "zone.h"

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
void remember_log(MainConf& main, const ngx_http_core_loc_conf_t& core) {
  if (core.error_log && std::find(main.logs.begin(), main.logs.end(), core.error_log) == main.logs.end())
    main.logs.push_back(core.error_log);
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
  const Place& place = conf.needed_by;
  ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%V\" needs \"%s\" in the http block, in %V:%ui", &place.directive,
                directive, &place.file, place.line);
  return static_cast<char*>(NGX_CONF_ERROR);
}

// It is meant to be gated, or its directives would be of no use.
char* check_gate(ngx_conf_t* cf, const LocConf& conf, bool decided_here) {
  const Place& place = conf.directive;
  if (conf.gate || conf.routes || !place.line || decided_here) return NGX_CONF_OK;
  // Below a `wazo_auth off` somebody has thought of it.
  const ngx_uint_t level = conf.decided && !conf.gate_inside ? NGX_LOG_WARN : NGX_LOG_EMERG;
  ngx_log_error(
      level, cf->log, 0,
      "\"%V\" in a location that isn't gated: it needs \"wazo_auth on\" or \"wazo_auth off\" beside it, in %V:%ui",
      &place.directive, &place.file, place.line);
  return static_cast<char*>(level == NGX_LOG_EMERG ? NGX_CONF_ERROR : NGX_CONF_OK);
}

#if (NGX_PCRE)
// Those that enclose a location ran, too, before it was found.
bool name_captures(ngx_conf_t* cf, const ngx_http_regex_t& regex, LocConf& conf) {
  ngx_array_t* named = ngx_array_create(cf->pool, 4, sizeof(ngx_int_t));
  if (!named) return false;
  const auto add = [&](ngx_int_t index) {
    auto* slot = static_cast<ngx_int_t*>(ngx_array_push(named));
    if (slot) *slot = index;
    return slot != nullptr;
  };
  for (ngx_uint_t i = 0; conf.named && i < conf.named->nelts; ++i) {
    if (!add(static_cast<ngx_int_t*>(conf.named->elts)[i])) return false;
  }
  for (ngx_uint_t i = 0; i < regex.nvariables; ++i) {
    if (!add(regex.variables[i].index)) return false;
  }
  conf.named = named;
  return true;
}
#endif

bool contains(const ngx_array_t* indexes, ngx_int_t index) {
  if (!indexes) return false;
  const auto* first = static_cast<const ngx_int_t*>(indexes->elts);
  return std::find(first, first + indexes->nelts, index) != first + indexes->nelts;
}

// Which parts of the access are the location's own captures: their value is what they had when it was found, whatever
// else sets a variable of the same name later.
bool find_captured(ngx_conf_t* cf, LocConf& conf) {
  if (!conf.access || !conf.named) return true;
  bool complete = true;
  each_part(*conf.access, [&](const AccessPart& part) {
    if (!contains(conf.named, part.variable) || contains(conf.captured, part.variable)) return;
    if (!conf.captured) conf.captured = ngx_array_create(cf->pool, 2, sizeof(ngx_int_t));
    auto* slot = conf.captured ? static_cast<ngx_int_t*>(ngx_array_push(conf.captured)) : nullptr;
    if (slot) *slot = part.variable;
    complete = complete && slot;
  });
  return complete;
}

// nginx's rewrite module comes before the gate.
void look_at_rewrites(ngx_conf_t* cf, MainConf& main, const LocConf& conf, bool gated_here) {
  const auto* server =
      static_cast<ngx_http_core_srv_conf_t*>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
  const auto* context = static_cast<ngx_http_conf_ctx_t*>(cf->ctx);
  const bool of_server = context->loc_conf == server->ctx->loc_conf;
  Rewrites found = read_rewrites(cf);
  main.positional.add(server, std::move(found.assignments));
  // A server that only redirects to another one may stand below a `wazo_auth on` for all.
  if (!found.answers || !conf.gate || (of_server && (!gated_here || std::string_view(found.answers) != "return")))
    return;
  ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                "\"%s\" in a gated %s: it answers before a token is asked for, in the block at %V:%ui", found.answers,
                of_server ? "server" : "location", &conf.begin.file, conf.begin.line);
}

void remember_access(ngx_conf_t* cf, MainConf& main, const LocConf& conf) {
  if (!conf.gate || !conf.access) return;
  const void* server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
  each_part(*conf.access, [&](const AccessPart& part) {
    if (part.variable != NGX_CONF_UNSET && !contains(conf.captured, part.variable))
      main.asked.push_back({server, part.variable, conf.access->place});
  });
}

bool positional_captures_are_refused(ngx_conf_t* cf, const MainConf& main) {
  auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  auto* variables = static_cast<ngx_http_variable_t*>(core->variables.elts);
  for (const AskedVariable& asked : main.asked) {
    if (!main.positional.taint(asked.server, asked.index)) continue;
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"$%V\" is set from a positional capture ($1 to $9), which any regular expression replaces: "
                  "use a named capture in \"wazo_auth_acl\", in %V:%ui",
                  &variables[asked.index].name, &asked.place.file, asked.place.line);
    return true;
  }
  return false;
}

void find_kept_variables(ngx_conf_t* cf, KeptVariables& kept) {
  auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto* variables = static_cast<ngx_http_variable_t*>(core->variables.elts);
  const auto index_of = [&](std::string_view name) -> ngx_int_t {
    for (ngx_uint_t i = 0; i < core->variables.nelts; ++i) {
      if (view(variables[i].name) == name) return static_cast<ngx_int_t>(i);
    }
    return -1;
  };
  kept.request = index_of("request");
  kept.request_uri = index_of("request_uri");
  kept.referer = index_of("http_referer");
  kept.identity = {index_of("http_wazo_user_uuid"), index_of("http_wazo_token_tenant_uuid"),
                   index_of("http_wazo_session_uuid")};
  kept.trace = {index_of("http_traceparent"), index_of("http_tracestate")};
}

// Index of a variable that some module or directive defines, -1 without.
ngx_int_t index_if_known(ngx_conf_t* cf, std::string_view name) {
  auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto* keys = static_cast<const ngx_hash_key_t*>(core->variables_keys->keys.elts);
  for (ngx_uint_t i = 0; i < core->variables_keys->keys.nelts; ++i) {
    ngx_str_t known = keys[i].key;
    if (view(known) == name) return ngx_http_get_variable_index(cf, &known);
  }
  return -1;
}

}  // namespace

char* init_main_conf(ngx_conf_t* cf, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  ngx_conf_init_value(conf->connections, 0);
  if (conf->trusted_proxies == NGX_CONF_UNSET_PTR) conf->trusted_proxies = default_proxies(cf);
  if (!conf->trusted_proxies) return static_cast<char*>(NGX_CONF_ERROR);
  if (char* problem = check_database(cf, *conf); problem != NGX_CONF_OK) return problem;
  if (conf->settings && conf->zone) SharedMemory::set_database(cf, conf->zone, conninfo(*conf));
  if (!conf->needed_by.line) return NGX_CONF_OK;
  if (!conf->settings) return missing(cf, *conf, "wazo_auth_config");
  if (!conf->zone) return missing(cf, *conf, "wazo_auth_zone");
  return NGX_CONF_OK;
}

std::string conninfo(const MainConf& conf) {
  return conf.database.len ? std::string(view(conf.database)) : conf.settings->db_uri;
}

void* create_loc_conf(ngx_conf_t* cf) {
  auto* conf = static_cast<LocConf*>(ngx_pcalloc(cf->pool, sizeof(LocConf)));
  if (!conf) return nullptr;
  // set by ngx_pcalloc(): handler, prefix, entrance, decided, directive, named, captured, slot, meter,
  // routes_inside
  conf->begin = here(cf);
  conf->gate = conf->gate_inside = NGX_CONF_UNSET;
  conf->access = static_cast<Accesses*>(NGX_CONF_UNSET_PTR);
  conf->routes = static_cast<Routes*>(NGX_CONF_UNSET_PTR);
  conf->token_always = NGX_CONF_UNSET;
  conf->enforce = NGX_CONF_UNSET_UINT;
  conf->token_from = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
  conf->tenant = NGX_CONF_UNSET_UINT;
  conf->identity = NGX_CONF_UNSET;
  conf->denied = NGX_CONF_UNSET_UINT;
  conf->preflight = NGX_CONF_UNSET_UINT;
  conf->path = NGX_CONF_UNSET_UINT;
  conf->grace = NGX_CONF_UNSET_MSEC;
  conf->watch = NGX_CONF_UNSET;
  conf->close_codes = NGX_CONF_UNSET;
  conf->cache = NGX_CONF_UNSET_UINT;
  conf->timeout = NGX_CONF_UNSET_MSEC;
  conf->trace = NGX_CONF_UNSET;
  return conf;
}

namespace {

void merge_handler(ngx_http_core_loc_conf_t& core, const LocConf& prev, LocConf& conf) {
  if (!core.noname || core.handler || !prev.handler) return;
  core.handler = conf.handler = prev.handler;
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

namespace {

bool is_set(const void* pointer) {
  return pointer != NGX_CONF_UNSET_PTR;
}

bool read_routes(ngx_conf_t* cf, MainConf& main, Routes* routes) {
  if (!routes || routes->is_read()) return true;
  if (!routes->read(cf, main.shadows ? &main.shadow : nullptr)) return false;
  if (routes->tokens_in_query()) main.query_names.emplace_back("token");
  main.routes.push_back(routes);
  return true;
}

// Documents decide, unless something nearer does: `wazo_auth off`, an access of the location's own, or what hands out
// tokens. They never open what a nearer `wazo_auth on` closes.
bool merge_routes(ngx_conf_t* cf, MainConf& main, bool part, LocConf& prev, LocConf& conf, bool gate_said,
                  bool access_said) {
  if (!is_set(prev.routes)) prev.routes = nullptr;  // the http block, which nothing is around
  if (!prev.routes_inside) prev.routes_inside = prev.routes;
  if (!read_routes(cf, main, prev.routes)) return false;
  if (is_set(conf.routes)) {
    if (access_said) {
      const Place& place = conf.access->place;
      ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                    "\"wazo_auth_acl\" and \"wazo_auth_openapi\" in one location: which of them decides? in %V:%ui",
                    &place.file, place.line);
      return false;
    }
    conf.token_always = 0;
    conf.routes_inside = conf.routes;
    return read_routes(cf, main, conf.routes);
  }
  const bool off = gate_said && !conf.gate;
  conf.routes_inside = off || access_said ? nullptr : prev.routes_inside;
  conf.routes = conf.entrance ? nullptr : conf.routes_inside;
  if (part) conf.routes = prev.routes;
  const bool before = prev.token_always == 1;
  conf.token_always = before || (gate_said && conf.gate) ? 1 : 0;
  return true;
}

// What of this block is counted for itself, and not for an operation.
void merge_slot(const ngx_http_core_loc_conf_t& core, MainConf& main, const LocConf& prev, LocConf& conf) {
  conf.slot = prev.slot;
  if (conf.enforce || !conf.gate || core.noname) return;
  std::string name = core.name.len ? "location " + std::string(view(core.name)) : "server";
  name += ", in " + std::string(view(conf.begin.file)) + ":" + std::to_string(conf.begin.line);
  conf.slot = main.shadow.add("locations", std::move(name), "");
}

// Those that are parts of a location have its name.
void merge_meter(const ngx_http_core_loc_conf_t& core, MainConf& main, LocConf& conf) {
  std::string name;
  if (conf.gate || conf.routes) name = core.name.len ? view(core.name) : "server";
  main.meters.gated.push_back({std::move(name), &conf.meter});
}

}  // namespace

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) {
  auto* prev = static_cast<LocConf*>(parent);
  auto* conf = static_cast<LocConf*>(child);
  auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  auto& main = *static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_wazo_auth_module));
  remember_log(main, *core);
  merge_handler(*core, *prev, *conf);
  const bool decided_here = conf->decided;  // `directive` and `begin` are this block's alone
  conf->decided = conf->decided || prev->decided;
  const bool gate_said = conf->gate != NGX_CONF_UNSET, access_said = is_set(conf->access);
  merge_gate(*prev, *conf);
  if (!merge_routes(cf, main, core->noname, *prev, *conf, gate_said, access_said))
    return static_cast<char*>(NGX_CONF_ERROR);
  ngx_conf_merge_uint_value(conf->enforce, prev->enforce, 1);
  merge_slot(*core, main, *prev, *conf);
  merge_meter(*core, main, *conf);
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
  ngx_conf_merge_value(conf->watch, prev->watch, 0);
  ngx_conf_merge_value(conf->close_codes, prev->close_codes, 0);
  ngx_conf_merge_uint_value(conf->cache, prev->cache, 0);
  ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 5000);
  ngx_conf_merge_value(conf->trace, prev->trace, 0);
  main.traces = main.traces || conf->trace;
  conf->named = prev->named;
#if (NGX_PCRE)
  if (core->regex && core->regex->nvariables && !name_captures(cf, *core->regex, *conf))
    return static_cast<char*>(NGX_CONF_ERROR);
#endif
  if (core->noname)
    conf->captured = prev->captured;  // `if` and `limit_except` are parts of their location
  else if (!find_captured(cf, *conf))
    return static_cast<char*>(NGX_CONF_ERROR);
  look_at_rewrites(cf, main, *conf, decided_here);
  remember_access(cf, main, *conf);
  return check_gate(cf, *conf, decided_here);
}

bool finish_conf(ngx_conf_t* cf) {
  auto* main = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_wazo_auth_module));
  if (main->traces) {
    main->kept.otel_trace = index_if_known(cf, "otel_trace_id");
    main->kept.otel_span = index_if_known(cf, "otel_span_id");
  }
  find_kept_variables(cf, main->kept);
  main->certificates = read_certificates(cf, main->settings ? main->settings->saml.cert_file : "");
  if (main->shadows && !main->shadow.declare(cf)) return false;
  if (main->zone && !SharedMeters::declare(cf, main->meters)) return false;
  return !positional_captures_are_refused(cf, *main);
}

Place here(ngx_conf_t* cf) {
  const ngx_str_t directive = cf->args ? *static_cast<ngx_str_t*>(cf->args->elts) : ngx_str_t{};
  return {directive, cf->conf_file->file.name, cf->conf_file->line};
}

void remember_gate_directive(ngx_conf_t* cf, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  const bool is_off = cf->args->nelts == 2 && view(static_cast<ngx_str_t*>(cf->args->elts)[1]) == "off";
  if (cf->cmd_type == NGX_HTTP_LOC_CONF && !is_off && !conf->directive.line) conf->directive = here(cf);
}

}  // namespace wazoauth::nginx
