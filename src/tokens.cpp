#include "tokens.h"

#include "wazoauth/ascii.h"
#include "wazoauth/gate/target.h"
#include "wazoauth/rest/http.h"

namespace wazoauth::nginx {

namespace {

bool same_name(const ngx_table_elt_t& header, std::string_view lower_case) {
  return std::string_view(reinterpret_cast<const char*>(header.lowcase_key), header.key.len) == lower_case;
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
  if (!same_name(header, "authorization") || value.size() < scheme.size()) return;
  u_char* data = header.value.data;
  if (ngx_strncasecmp(data, reinterpret_cast<u_char*>(const_cast<char*>(scheme.data())), scheme.size()) == 0)
    candidates.add(ascii::trimmed(value.substr(scheme.size())));
}

void add_cookie(const ngx_table_elt_t& header, std::string_view name, Candidates& candidates) {
  if (!same_name(header, "cookie")) return;
  for (std::string_view rest = view(header.value); !rest.empty();) {
    const std::string_view pair = ascii::trimmed(rest.substr(0, rest.find(';')));
    rest.remove_prefix(
        std::min(rest.size(), rest.find(';') == std::string_view::npos ? rest.size() : rest.find(';') + 1));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) candidates.add(pair.substr(equals + 1));
  }
}

void add_query(ngx_http_request_t* r, const TokenSource& source, Candidates& candidates) {
  for (const std::string& value : query_parameters(view(r->args), view(source.name))) {
    const ngx_str_t kept = copy(r->pool, value);
    if (kept.data) candidates.add(view(kept));
  }
}

void strip(ngx_http_request_t* r, const TokenSource& source) {
  const std::string args = gate::strip_parameter(view(r->args), view(source.name));
  if (args.size() == r->args.len) return;
  const std::string_view target = view(r->unparsed_uri);
  std::string stripped(target.substr(0, target.find('?')));
  if (!args.empty()) stripped += "?" + args;
  const ngx_str_t new_args = copy(r->pool, args), new_target = copy(r->pool, stripped);
  if (!new_args.data || !new_target.data) return;
  r->args = new_args;
  r->unparsed_uri = new_target;
}

}  // namespace

Found find_token(ngx_http_request_t* r, const LocConf& conf, ngx_str_t& token) {
  Candidates candidates(token);
  const auto* sources = static_cast<const TokenSource*>(conf.token_from->elts);
  for (ngx_uint_t i = 0; i < conf.token_from->nelts; ++i) {
    const TokenSource& source = sources[i];
    if (source.kind == TokenSource::query) {
      if (r->args.len) add_query(r, source, candidates);
      continue;
    }
    each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
      if (source.kind == TokenSource::bearer) return add_bearer(header, candidates);
      if (source.kind == TokenSource::cookie) return add_cookie(header, view(source.name), candidates);
      if (same_name(header, view(source.name))) candidates.add(view(header.value));
    });
  }
  for (ngx_uint_t i = 0; i < conf.token_from->nelts; ++i) {
    if (sources[i].strip && r->args.len) strip(r, sources[i]);
  }
  return candidates.found();
}

bool find_wanted_tenant(ngx_http_request_t* r, std::string_view& tenant) {
  bool agreed = true;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (!same_name(header, "wazo-tenant") || header.value.len == 0) return;
    agreed = agreed && (tenant.empty() || tenant == view(header.value));
    tenant = view(header.value);
  });
  return agreed;
}

namespace {

bool append_capture(ngx_http_request_t* r, ngx_uint_t n, std::string& access) {
#if (NGX_PCRE)
  if (2 * n + 1 >= r->ncaptures) return false;
  const int start = r->captures[2 * n], end = r->captures[2 * n + 1];
  if (start < 0 || end <= start) return false;
  return gate::append_value(
      access, {reinterpret_cast<const char*>(r->captures_data) + start, static_cast<std::size_t>(end - start)});
#else
  return false;
#endif
}

bool append(ngx_http_request_t* r, const AccessPart& part, std::string& access) {
  if (part.capture != NGX_CONF_UNSET) return append_capture(r, part.capture, access);
  if (part.variable == NGX_CONF_UNSET) {
    access += view(part.literal);
    return true;
  }
  const ngx_http_variable_value_t* value = ngx_http_get_flushed_variable(r, part.variable);
  if (!value || value->not_found) return false;
  return gate::append_value(access, {reinterpret_cast<const char*>(value->data), value->len});
}

}  // namespace

bool make_access(ngx_http_request_t* r, const LocConf& conf, ngx_str_t& access) {
  const auto* parts = static_cast<const AccessPart*>(conf.access->elts);
  if (conf.access->nelts == 1 && parts[0].literal.len) {
    access = parts[0].literal;
    return true;
  }
  static std::string buffer;  // the loop is one thread, and its capacity stays
  buffer.clear();
  for (ngx_uint_t i = 0; i < conf.access->nelts; ++i) {
    if (!append(r, parts[i], buffer)) return false;
  }
  access = copy(r->pool, buffer);
  return access.data != nullptr;
}

bool is_preflight(ngx_http_request_t* r) {
  if (r->method != NGX_HTTP_OPTIONS) return false;
  bool origin = false, method = false, more = r->headers_in.content_length_n > 0 || r->headers_in.chunked;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    origin = origin || same_name(header, "origin");
    method = method || same_name(header, "access-control-request-method");
    for (const char* name : {"upgrade", "x-http-method-override", "x-http-method", "x-method-override"})
      more = more || same_name(header, name);
  });
  return origin && method && !more;
}

}  // namespace wazoauth::nginx
