// Setters of directives.
#include <algorithm>
#include <cstdlib>
#include <exception>

#include "conf.h"
#include "handlers.h"
#include "wazoauth/cache/redis_cache.h"
#include "wazoauth/config/files.h"
#include "wazoauth/mail/mail_templates.h"
#include "wazoauth/saml/keys.h"
#include "wazoauth/store/connection_string.h"
#include "zone.h"

namespace wazoauth::nginx {

namespace {

char* const failed = static_cast<char*>(NGX_CONF_ERROR);
char* const ok = nullptr;  // NGX_CONF_OK

const ngx_str_t* arguments(ngx_conf_t* cf) {
  return static_cast<const ngx_str_t*>(cf->args->elts);
}

MainConf* main_of(ngx_conf_t* cf) {
  return static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_wazo_auth_module));
}

char* invalid(ngx_conf_t* cf, const ngx_str_t& value) {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &value);
  return failed;
}

char* fail(ngx_conf_t* cf, const std::string& message) {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", message.c_str());
  return failed;
}

// Exceptions end here: nginx's C code knows none.
template <typename Work>
char* guarded(ngx_conf_t* cf, Work work) noexcept {
  try {
    return work();
  } catch (const ConfigError& e) {
    if (e.file.empty()) return fail(cf, e.what());
    return fail(cf, std::string(e.what()) + " (" + e.file + (e.line ? ":" + std::to_string(e.line) : "") + ")");
  } catch (const std::exception& e) {
    return fail(cf, e.what());
  }
}

// What needs a configuration and a zone says so, and where.
void needs_process(ngx_conf_t* cf) {
  MainConf* conf = main_of(cf);
  if (!conf->needed_by.line) conf->needed_by = here(cf);
}

char* handled_by(ngx_conf_t* cf, ngx_http_handler_pt handler) {
  auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (core->handler) return const_cast<char*>("clashes with another handler of this location");
  core->handler = handler;
  needs_process(cf);
  return ok;
}

// As for workers: `env XIVO_UUID=...;` wins over what nginx was started with.
std::string installation(const ngx_conf_t* cf) {
  const auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cf->cycle->conf_ctx, ngx_core_module));
  const auto* given = static_cast<const ngx_str_t*>(core->env.elts);
  for (ngx_uint_t i = 0; i < core->env.nelts; ++i) {
    const char* rest = reinterpret_cast<const char*>(given[i].data) + given[i].len;  // the length is the name's
    if (view(given[i]) == "XIVO_UUID" && *rest == '=') return rest + 1;
  }
  const char* own = std::getenv("XIVO_UUID");
  return own ? own : "";
}

}  // namespace

char* set_config(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  if (conf->config.data) return const_cast<char*>("is duplicate");
  return guarded(cf, [&] {
    conf->config = arguments(cf)[1];
    if (ngx_conf_full_name(cf->cycle, &conf->config, 1) != NGX_OK) return failed;
    LoadedConfig loaded = load_config(std::string(view(conf->config)));
    const std::string uuid = installation(cf);
    // `nginx -t` has a shell's environment, which says nothing about that of the service.
    if (!ngx_test_config && uuid.empty())
      loaded.warnings.emplace_back(
          "XIVO_UUID is not in the environment: events and tokens don't name this installation");
    conf->settings = make_settings(loaded.tree, uuid, loaded.warnings, loaded.places);
    conf->settings->mail_templates = read_mail_templates(*conf->settings, loaded.warnings);
    conf->settings->saml.keys = saml::read_keys(*conf->settings, loaded.warnings);
    for (const std::string& warning : loaded.warnings) ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "%s", warning.c_str());
    return ok;
  });
}

char* set_zone(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  if (conf->zone) return const_cast<char*>("is duplicate");
  const ngx_str_t& value = arguments(cf)[1];
  auto* colon = ngx_strlchr(value.data, value.data + value.len, ':');
  if (!colon || colon == value.data) return invalid(cf, value);
  ngx_str_t name{static_cast<std::size_t>(colon - value.data), value.data};
  ngx_str_t number{value.len - name.len - 1, colon + 1};
  const ssize_t size = ngx_parse_size(&number);
  if (size == NGX_ERROR) return invalid(cf, value);
  if (static_cast<std::size_t>(size) < SharedMemory::minimum_size) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is too small, at least %uzm are needed", &name,
                       SharedMemory::minimum_size >> 20);
    return failed;
  }
  conf->zone = SharedMemory::declare(cf, name, size);
  return conf->zone ? ok : failed;
}

char* set_database(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  if (conf->database.data) return const_cast<char*>("is duplicate");
  conf->database = arguments(cf)[1];
  conf->database_place = here(cf);
  if (cf->args->nelts == 3) {
    const ngx_str_t& value = arguments(cf)[2];
    constexpr std::string_view prefix = "connections=";
    if (!view(value).starts_with(prefix)) return invalid(cf, value);
    conf->connections = ngx_atoi(value.data + prefix.size(), value.len - prefix.size());
    if (conf->connections < 1 || conf->connections > 10000) return invalid(cf, value);
  }
  return guarded(cf, [&] {
    DatabaseOptions options;
    options.conninfo = view(conf->database);
    connection_string(options);  // throws for what libpq doesn't understand
    return ok;
  });
}

char* set_redis(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  if (conf->redis.data) return const_cast<char*>("is duplicate");
  conf->redis = arguments(cf)[1];
  if (view(conf->redis) == "off") {
    conf->redis.len = 0;
    return ok;
  }
  return guarded(cf, [&] {
    const RedisCache check{std::string(view(conf->redis))};  // throws for what isn't an address; doesn't connect
    return ok;
  });
}

char* set_trusted_proxies(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  if (conf->trusted_proxies != NGX_CONF_UNSET_PTR) return const_cast<char*>("is duplicate");
  conf->trusted_proxies = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_cidr_t));
  if (!conf->trusted_proxies) return failed;
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    ngx_str_t value = arguments(cf)[i];
    auto* cidr = static_cast<ngx_cidr_t*>(ngx_array_push(conf->trusted_proxies));
    if (!cidr) return failed;
    *cidr = {};
    if (view(value) == "unix:") {
      cidr->family = AF_UNIX;
      continue;
    }
    const ngx_int_t rc = ngx_ptocidr(&value, cidr);
    if (rc == NGX_ERROR) return invalid(cf, value);
    if (rc == NGX_DONE) ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "low address bits of %V are meaningless", &value);
  }
  return ok;
}

namespace {

// prefix=/a/path; what it says is kept without slashes at its end. False: it isn't one.
bool read_prefix(const ngx_str_t& argument, ngx_str_t& prefix) {
  constexpr std::string_view name = "prefix=";
  if (!view(argument).starts_with(name)) return false;
  prefix = {argument.len - name.size(), argument.data + name.size()};
  while (view(prefix).ends_with('/')) --prefix.len;
  return prefix.len == 0 || prefix.data[0] == '/';
}

}  // namespace

char* set_api(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  if (conf->handler == api_handler) return const_cast<char*>("is duplicate");
  conf->handler = api_handler;
  conf->entrance = 1;
  if (cf->args->nelts == 2 && !read_prefix(arguments(cf)[1], conf->prefix)) return invalid(cf, arguments(cf)[1]);
  return handled_by(cf, api_handler);
}

char* set_log(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<MainConf*>(data);
  OwnLog log{nullptr, OwnLog::daemon, 0};
  if (cf->args->nelts == 3) {
    const ngx_str_t& format = arguments(cf)[2];
    if (view(format) == "json")
      log.format = OwnLog::json;
    else if (view(format) != "daemon")
      return invalid(cf, format);
  }
  ngx_str_t path = arguments(cf)[1];
  log.file = ngx_conf_open_file(cf->cycle, &path);
  if (!log.file) return failed;
  const bool twice = std::any_of(conf->own_logs.begin(), conf->own_logs.end(),
                                 [&](const OwnLog& other) { return other.file == log.file; });
  if (twice) return const_cast<char*>("is duplicate");
  conf->own_logs.push_back(log);
  return ok;
}

char* set_metrics(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  conf->handler = metrics_handler;
  return handled_by(cf, metrics_handler);
}

char* set_ready(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  conf->handler = ready_handler;
  return handled_by(cf, ready_handler);
}

char* set_shadow_report(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  conf->handler = shadow_report_handler;
  return handled_by(cf, shadow_report_handler);
}

// Whoever opens the page has no token yet.
char* set_ui(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  if (conf->handler == ui_handler) return const_cast<char*>("is duplicate");
  conf->handler = ui_handler;
  conf->entrance = 1;
  const auto* core =
      static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (cf->args->nelts == 2) {
    if (!read_prefix(arguments(cf)[1], conf->prefix)) return invalid(cf, arguments(cf)[1]);
  } else if (core->regex || core->named) {
    return const_cast<char*>("needs prefix=, as its location has no path of its own");
  } else {
    conf->prefix = core->name;
    while (view(conf->prefix).ends_with('/')) --conf->prefix.len;
  }
  return handled_by(cf, ui_handler);
}

// What a browser brings back from another service is nobody else's.
char* set_oauth2(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  conf->handler = oauth2_handler;
  conf->entrance = 1;
  for (const char* name : {"code", "state"}) main_of(cf)->query_names.emplace_back(name);
  return handled_by(cf, oauth2_handler);
}

char* set_gate(ngx_conf_t* cf, ngx_command_t* command, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  char* result = ngx_conf_set_flag_slot(cf, command, data);
  conf->gate_inside = conf->gate;
  conf->decided = 1;
  if (result == ok && conf->gate == 1) needs_process(cf);
  return result;
}

namespace {

TokenSource parse_source(ngx_conf_t* cf, const ngx_str_t& value) {
  const auto named = [&](std::string_view prefix) {
    return view(value).starts_with(prefix) && value.len > prefix.size();
  };
  const auto name = [&](std::size_t skip) { return ngx_str_t{value.len - skip, value.data + skip}; };
  if (view(value) == "bearer") return {TokenSource::bearer, {}, false};
  if (named("query:")) return {TokenSource::query, name(6), false};
  if (named("cookie:")) return {TokenSource::cookie, name(7), false};
  if (!named("header:")) return {TokenSource::header, {}, false};
  ngx_str_t lower = copy(cf->pool, view(name(7)));
  if (lower.data) ngx_strlow(lower.data, lower.data, lower.len);
  return {TokenSource::header, lower, false};
}

}  // namespace

char* set_token_from(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  if (conf->token_from != NGX_CONF_UNSET_PTR) return const_cast<char*>("is duplicate");
  remember_gate_directive(cf, conf);
  conf->token_from = ngx_array_create(cf->pool, cf->args->nelts, sizeof(TokenSource));
  if (!conf->token_from) return failed;
  TokenSource* last = nullptr;
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    const ngx_str_t& value = arguments(cf)[i];
    if (view(value) == "strip" && last && last->kind == TokenSource::query && !last->strip) {
      last->strip = true;
      continue;
    }
    last = static_cast<TokenSource*>(ngx_array_push(conf->token_from));
    if (!last) return failed;
    *last = parse_source(cf, value);
    if (last->kind != TokenSource::bearer && last->name.len == 0) return invalid(cf, value);
    if (last->kind == TokenSource::query) main_of(cf)->query_names.emplace_back(view(last->name));
  }
  return ok;
}

namespace {

bool is_word(u_char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Reads "$name" or "${name}" at the beginning of `rest`; an empty name is an error.
ngx_str_t take_variable(ngx_str_t& rest) {
  const bool braces = rest.len > 1 && rest.data[1] == '{';
  std::size_t start = braces ? 2 : 1, end = start;
  while (end < rest.len && is_word(rest.data[end])) ++end;
  ngx_str_t name{end - start, rest.data + start};
  if (braces) {
    if (end == rest.len || rest.data[end] != '}')
      name.len = 0;
    else
      ++end;
  }
  rest = {rest.len - end, rest.data + end};
  return name;
}

// What $1 is depends on which regular expression ran last, and that may be a map's over a header of the client's.
bool make_variable(ngx_conf_t* cf, ngx_str_t name, AccessPart& part) {
  if (name.data[0] >= '0' && name.data[0] <= '9') {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "positional capture \"$%V\" in \"wazo_auth_acl\": any regular expression replaces it, "
                       "use a named capture: location ~ ^/users/(?<owner>[^/]+)/",
                       &name);
    return false;
  }
  part = {{}, ngx_http_get_variable_index(cf, &name)};
  return part.variable != NGX_ERROR;
}

char* read_access(ngx_conf_t* cf, ngx_str_t value, Access& access) {
  if (ngx_array_init(&access, cf->pool, 4, sizeof(AccessPart)) != NGX_OK) return failed;
  if (value.len == 0) return invalid(cf, value);
  for (ngx_str_t rest = value; rest.len;) {
    auto* part = static_cast<AccessPart*>(ngx_array_push(&access));
    if (!part) return failed;
    if (rest.data[0] == '$') {
      const ngx_str_t name = take_variable(rest);
      if (name.len == 0) return invalid(cf, value);
      if (!make_variable(cf, name, *part)) return failed;
      continue;
    }
    const std::size_t size = std::min(view(rest).find('$'), rest.len);
    *part = {{size, rest.data}, NGX_CONF_UNSET};
    rest = {rest.len - size, rest.data + size};
  }
  return ok;
}

}  // namespace

namespace {

bool make_ready(ngx_conf_t* cf, Accesses& accesses) {
  const auto* alternatives = static_cast<const Access*>(accesses.any.elts);
  const auto* parts = static_cast<const AccessPart*>(alternatives[0].elts);
  if (accesses.any.nelts != 1 || alternatives[0].nelts != 1 || !parts[0].literal.len) return true;
  static_assert(std::is_trivially_destructible_v<acl::Required> && std::is_trivially_destructible_v<acl::KnownLists>);
  void* const memory = ngx_palloc(cf->pool, sizeof(acl::Required));
  void* const lists = ngx_palloc(cf->pool, sizeof(acl::KnownLists));
  if (!memory || !lists) return false;
  auto* const required = new (memory) acl::Required(view(parts[0].literal));
  required->known = new (lists) acl::KnownLists;
  accesses.ready = required;
  return true;
}

}  // namespace

char* set_acl(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  if (conf->access != NGX_CONF_UNSET_PTR) return const_cast<char*>("is duplicate");
  remember_gate_directive(cf, conf);
  const ngx_uint_t count = cf->args->nelts - 1;
  conf->access = nullptr;
  if (count == 1 && view(arguments(cf)[1]) == "off") return ok;
  conf->access = static_cast<Accesses*>(ngx_pcalloc(cf->pool, sizeof(Accesses)));
  if (!conf->access || ngx_array_init(&conf->access->any, cf->pool, count, sizeof(Access)) != NGX_OK) return failed;
  conf->access->place = here(cf);
  for (ngx_uint_t i = 1; i <= count; ++i) {
    const ngx_str_t& value = arguments(cf)[i];
    if (view(value) == "off") return invalid(cf, value);
    auto* access = static_cast<Access*>(ngx_array_push(&conf->access->any));
    if (!access) return failed;
    if (char* problem = read_access(cf, value, *access); problem != ok) return problem;
  }
  return make_ready(cf, *conf->access) ? ok : failed;
}

namespace {

bool set_option(ngx_conf_t* cf, const ngx_str_t& value, Routes::Line& line, bool& known) {
  const auto after = [&](std::string_view name) -> std::optional<std::string> {
    if (!view(value).starts_with(name)) return std::nullopt;
    return std::string(view(value).substr(name.size()));
  };
  known = true;
  if (view(value) == "optional") {
    line.source.optional = true;
  } else if (view(value) == "unmatched=deny" || view(value) == "unmatched=pass") {
    line.deny = view(value) == "unmatched=deny";
  } else if (view(value) == "enforce=on" || view(value) == "enforce=shadow") {
    line.enforce = view(value) == "enforce=on";
  } else if (const auto prefix = after("prefix=")) {
    line.source.prefix = *prefix;
    while (line.source.prefix.ends_with('/')) line.source.prefix.pop_back();
    return line.source.prefix.empty() || line.source.prefix.starts_with('/');
  } else if (const auto name = after("name=")) {
    line.source.name = *name;
    return !name->empty();
  } else if (const auto overlay = after("overlay=")) {
    ngx_str_t file = copy(cf->pool, *overlay);
    if (overlay->empty() || !file.data || ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) return false;
    line.source.overlays.emplace_back(view(file));
  } else {
    known = false;
    return !after("unmatched=") && !after("enforce=");
  }
  return true;
}

}  // namespace

char* set_openapi(ngx_conf_t* cf, ngx_command_t*, void* data) {
  auto* conf = static_cast<LocConf*>(data);
  return guarded(cf, [&] {
    Routes::Line line{here(cf), {}};
    for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
      ngx_str_t value = arguments(cf)[i];
      bool known;
      if (value.len == 0 || !set_option(cf, value, line, known)) return invalid(cf, value);
      if (known) continue;
      if (ngx_conf_full_name(cf->cycle, &value, 1) != NGX_OK) return failed;
      line.source.files.emplace_back(view(value));
    }
    if (line.source.files.empty()) return fail(cf, "\"wazo_auth_openapi\" names no file");
    if (conf->routes == NGX_CONF_UNSET_PTR) conf->routes = make_routes(cf);
    if (!conf->routes) return failed;
    if (line.enforce == false) main_of(cf)->shadows = true;
    conf->routes->add(std::move(line));
    needs_process(cf);
    return ok;
  });
}

char* set_enforce(ngx_conf_t* cf, ngx_command_t* command, void* data) {
  char* result = ngx_conf_set_enum_slot(cf, command, data);
  main_of(cf)->shadows = main_of(cf)->shadows || static_cast<LocConf*>(data)->enforce == 0;
  return result;
}

char* set_watch(ngx_conf_t* cf, ngx_command_t* command, void* data) {
  remember_gate_directive(cf, data);
  char* result = ngx_conf_set_flag_slot(cf, command, data);
  main_of(cf)->watches = main_of(cf)->watches || static_cast<LocConf*>(data)->watch == 1;
  return result;
}

char* set_timeout(ngx_conf_t* cf, ngx_command_t* command, void* data) {
  char* result = ngx_conf_set_msec_slot(cf, command, data);
  if (result != ok || static_cast<LocConf*>(data)->timeout > 0) return result;
  return invalid(cf, arguments(cf)[1]);
}

}  // namespace wazoauth::nginx
