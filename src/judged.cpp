#include "judged.h"

#include <algorithm>
#include <new>

namespace wazoauth::nginx {

const Area* area_of(ngx_http_request_t* r, const LocConf& conf) {
  if (!conf.routes) return nullptr;
  if (r != r->main) return conf.routes->area_of(view(r->uri));
  const RequestContext* context = find_context(r);
  return context && context->route.len ? conf.routes->area_of(view(context->route)) : nullptr;
}

bool documents_enforced(const LocConf& conf, const Area& area) {
  return area.enforce.value_or(conf.enforce == 1);
}

bool is_enforced(const LocConf& conf, const Area* area) {
  return (conf.gate && conf.enforce) || (area && documents_enforced(conf, *area));
}

namespace {

bool in_any_area(const MainConf& main, const ngx_str_t& uri) {
  return std::any_of(main.routes.begin(), main.routes.end(),
                     [&](const Routes* routes) { return routes->area_of(view(uri)) != nullptr; });
}

void remember(ngx_http_request_t* r) {
  RequestContext* context = get_context(r);
  if (!context) throw std::bad_alloc();
  context->route = r->uri;
  context->route_settled = false;
}

}  // namespace

void begin_route(ngx_http_request_t* r) {
  const MainConf& main = main_conf(r);
  if (main.routes.empty() || r != r->main) return;
  if (in_any_area(main, r->uri)) return remember(r);
  RequestContext* context = find_context(r);
  if (context && context->route_settled) context->route = {};
}

void follow_route(ngx_http_request_t* r) {
  const MainConf& main = main_conf(r);
  if (main.routes.empty() || r != r->main) return;
  const RequestContext* context = find_context(r);
  if (context && context->route.data == r->uri.data && context->route.len == r->uri.len) return;
  if (in_any_area(main, r->uri)) remember(r);
}

void settle_route(ngx_http_request_t* r) {
  if (main_conf(r).routes.empty()) return;
  if (RequestContext* context = find_context(r)) context->route_settled = true;
}

bool overrides_method(ngx_http_request_t* r) {
  bool other = false;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    for (const char* name : {"x-http-method-override", "x-http-method", "x-method-override"})
      other = other || (is_named(header, name) && view(header.value) != view(r->method_name));
  });
  return other;
}

bool make_accesses(ngx_http_request_t* r, const openapi::Match& match, RequestContext& context) {
  const std::size_t count = match.operation->accesses.size();
  context.access_count = 0;
  context.required = {};
  context.accesses = &context.required;
  if (count > 1) context.accesses = static_cast<ngx_str_t*>(ngx_palloc(r->pool, count * sizeof(ngx_str_t)));
  if (!context.accesses) throw std::bad_alloc();
  static std::string buffer, all;  // the loop is one thread, and their capacity stays
  all.clear();
  for (std::size_t i = 0; i < count; ++i) {
    buffer.clear();
    if (!openapi::append_access(match, i, buffer)) continue;
    const ngx_str_t made = copy(r->pool, buffer);
    if (!made.data) throw std::bad_alloc();
    context.accesses[context.access_count++] = made;
    if (count > 1) all.append(all.empty() ? "" : " or ").append(buffer);
  }
  if (count > 1) context.required = copy(r->pool, all);
  if (count > 1 && !context.required.data) throw std::bad_alloc();
  return context.access_count > 0;
}

}  // namespace wazoauth::nginx
