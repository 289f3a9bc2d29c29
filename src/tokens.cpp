#include "tokens.h"

#include <algorithm>
#include <new>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/mask.h"
#include "wazoauth/gate/target.h"
#include "wazoauth/http/http.h"

namespace wazoauth::nginx {

namespace {

// Lives as long as the request.
ngx_str_t kept(ngx_http_request_t* r, std::string_view text) {
  const ngx_str_t copied = copy(r->pool, text);
  if (!copied.data) throw std::bad_alloc();
  return copied;
}

class Candidates {
 public:
  explicit Candidates(ngx_str_t& token) : token_(token) {}

  // `text` must live as long as the request.
  void add(std::string_view text) {
    if (text.empty()) return;
    if (found_ == Found::none) {
      token_ = {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
      found_ = Found::one;
    } else if (view(token_) != text) {
      found_ = Found::several;
    }
  }
  Found found() const { return found_; }

 private:
  ngx_str_t& token_;
  Found found_ = Found::none;
};

void add_bearer(const ngx_table_elt_t& header, Candidates& candidates) {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view value = view(header.value);
  if (!is_named(header, "authorization") || value.size() < scheme.size()) return;
  u_char* data = header.value.data;
  if (ngx_strncasecmp(data, reinterpret_cast<u_char*>(const_cast<char*>(scheme.data())), scheme.size()) == 0)
    candidates.add(ascii::trimmed(value.substr(scheme.size())));
}

// RFC 6265, section 4.1.1: a value may be in quotation marks, which aren't part of it.
std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
  return quoted ? value.substr(1, value.size() - 2) : value;
}

void add_cookie(const ngx_table_elt_t& header, std::string_view name, Candidates& candidates) {
  if (!is_named(header, "cookie")) return;
  for (std::string_view rest = view(header.value); !rest.empty();) {
    const std::string_view pair = ascii::trimmed(rest.substr(0, rest.find(';')));
    rest.remove_prefix(
        std::min(rest.size(), rest.find(';') == std::string_view::npos ? rest.size() : rest.find(';') + 1));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      candidates.add(unquoted(pair.substr(equals + 1)));
  }
}

// What the client sent counts where the request has no such parameter any more.
void add_query(ngx_http_request_t* r, const RequestContext& context, std::string_view name, Candidates& candidates) {
  std::vector<std::string> values;
  if (r->args.len) values = query_parameters(view(r->args), name);
  if (values.empty() && context.query.len) values = query_parameters(view(context.query), name);
  for (const std::string& value : values) candidates.add(view(kept(r, value)));
}

std::string stripped_target(std::string_view target, std::string_view name) {
  const auto question = target.find('?');
  if (question == std::string_view::npos) return std::string(target);
  const std::string args = gate::strip_parameter(target.substr(question + 1), name);
  return std::string(target.substr(0, question)) + (args.empty() ? "" : "?" + args);
}

void strip(ngx_http_request_t* r, std::string_view name) {
  const std::string args = gate::strip_parameter(view(r->args), name);
  const std::string target = stripped_target(view(r->unparsed_uri), name);
  if (args.size() == r->args.len && target.size() == r->unparsed_uri.len) return;
  const MainConf& main = main_conf(r);
  r->args = kept(r, args);
  r->unparsed_uri = kept(r, target);
  // It may be sent on in a header. nginx routes by other copies of this line.
  if (const auto masked = gate::mask_tokens(view(r->request_line), main.query_names))
    r->request_line = kept(r, *masked);
  forget_variable(r, main.kept.request_uri);
  forget_variable(r, main.kept.request);
}

}  // namespace

void keep_query(ngx_http_request_t* r, const LocConf& conf, bool strips) {
  const auto* sources = static_cast<const TokenSource*>(conf.token_from->elts);
  const auto* end = sources + conf.token_from->nelts;
  const bool by_location =
      std::any_of(sources, end, [](const TokenSource& each) { return each.kind == TokenSource::query; });
  if (!by_location && !(conf.routes && conf.routes->tokens_in_query())) return;
  if (r->args.len == 0 && view(r->unparsed_uri).find('?') == std::string_view::npos) return;
  RequestContext* context = get_context(r);
  if (!context) throw std::bad_alloc();
  if (context->query.len == 0) context->query = r->args;
  for (const auto* source = sources; source != end; ++source) {
    if (source->strip && strips) strip(r, view(source->name));
  }
}

Found find_token(ngx_http_request_t* r, const LocConf& conf, bool in_query, RequestContext& context) {
  context.token = {};
  Candidates candidates(context.token);
  const auto* sources = static_cast<const TokenSource*>(conf.token_from->elts);
  for (ngx_uint_t i = 0; i < conf.token_from->nelts; ++i) {
    const TokenSource& source = sources[i];
    if (source.kind == TokenSource::query) {
      add_query(r, context, view(source.name), candidates);
      continue;
    }
    each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
      if (source.kind == TokenSource::bearer) return add_bearer(header, candidates);
      if (source.kind == TokenSource::cookie) return add_cookie(header, view(source.name), candidates);
      if (is_named(header, view(source.name))) candidates.add(view(header.value));
    });
  }
  if (in_query) add_query(r, context, "token", candidates);
  return candidates.found();
}

bool find_wanted_tenant(ngx_http_request_t* r, std::string_view& tenant) {
  bool agreed = true;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (!is_named(header, "wazo-tenant") || header.value.len == 0) return;
    agreed = agreed && (tenant.empty() || tenant == view(header.value));
    tenant = view(header.value);
  });
  return agreed;
}

namespace {

const ngx_http_variable_value_t* value_of(ngx_http_request_t* r, const LocConf& conf, const RequestContext& context,
                                          ngx_int_t variable) {
  for (ngx_uint_t i = 0; conf.captured && i < conf.captured->nelts; ++i) {
    if (static_cast<const ngx_int_t*>(conf.captured->elts)[i] != variable) continue;
    return context.captured_of == conf.captured ? &context.captured[i] : nullptr;
  }
  return ngx_http_get_flushed_variable(r, variable);
}

bool append(ngx_http_request_t* r, const LocConf& conf, const RequestContext& context, const AccessPart& part,
            std::string& access) {
  if (part.variable == NGX_CONF_UNSET) {
    access += view(part.literal);
    return true;
  }
  const ngx_http_variable_value_t* value = value_of(r, conf, context, part.variable);
  if (!value || value->not_found) return false;
  return gate::append_value(access, {reinterpret_cast<const char*>(value->data), value->len});
}

}  // namespace

void keep_captures(ngx_http_request_t* r, const LocConf& conf) {
  if (!conf.captured) return;
  RequestContext* context = get_context(r);
  const ngx_uint_t count = conf.captured->nelts;
  auto* values =
      static_cast<ngx_http_variable_value_t*>(ngx_palloc(r->pool, count * sizeof(ngx_http_variable_value_t)));
  if (!context || !values) throw std::bad_alloc();
  for (ngx_uint_t i = 0; i < count; ++i)
    values[i] = r->variables[static_cast<const ngx_int_t*>(conf.captured->elts)[i]];
  context->captured = values;
  context->captured_of = conf.captured;
}

namespace {

// Of one alternative. False: a variable's value is refused.
bool make_access(ngx_http_request_t* r, const LocConf& conf, const RequestContext& context, const Access& access,
                 ngx_str_t& made) {
  const auto* parts = static_cast<const AccessPart*>(access.elts);
  if (access.nelts == 1 && parts[0].literal.len) {
    made = parts[0].literal;
    return true;
  }
  static std::string buffer;  // the loop is one thread, and its capacity stays
  buffer.clear();
  for (ngx_uint_t i = 0; i < access.nelts; ++i) {
    if (!append(r, conf, context, parts[i], buffer)) return false;
  }
  made = kept(r, buffer);
  return true;
}

}  // namespace

bool make_accesses(ngx_http_request_t* r, const LocConf& conf, RequestContext& context) {
  const auto* alternatives = static_cast<const Access*>(conf.access->any.elts);
  const ngx_uint_t count = conf.access->any.nelts;
  context.access_count = 0;
  context.accesses = &context.required;
  context.ready = conf.access->ready;
  if (count == 1) {
    context.access_count = make_access(r, conf, context, alternatives[0], context.required) ? 1 : 0;
    return context.access_count > 0;
  }
  context.accesses = static_cast<ngx_str_t*>(ngx_palloc(r->pool, count * sizeof(ngx_str_t)));
  if (!context.accesses) throw std::bad_alloc();
  std::string all;
  for (ngx_uint_t i = 0; i < count; ++i) {
    ngx_str_t& made = context.accesses[context.access_count];
    if (!make_access(r, conf, context, alternatives[i], made)) continue;
    all.append(all.empty() ? "" : " or ").append(view(made));
    ++context.access_count;
  }
  context.required = kept(r, all);
  return context.access_count > 0;
}

bool has_nothing_but_a_method(ngx_http_request_t* r) {
  bool more = r->headers_in.content_length_n > 0 || r->headers_in.chunked;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    for (const char* name : {"upgrade", "x-http-method-override", "x-http-method", "x-method-override"})
      more = more || is_named(header, name);
  });
  return !more;
}

bool is_preflight(ngx_http_request_t* r) {
  if (r->method != NGX_HTTP_OPTIONS) return false;
  bool origin = false, method = false;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    origin = origin || is_named(header, "origin");
    method = method || is_named(header, "access-control-request-method");
  });
  return origin && method && has_nothing_but_a_method(r);
}

}  // namespace wazoauth::nginx
