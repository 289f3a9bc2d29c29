#include "context.h"

#include <iterator>

namespace wazoauth::nginx {

namespace {

// nginx forgets a module's context at an internal redirect. The pool's list of cleanups remembers it; this function is
// the mark by which it is found.
void context_mark(void*) {}

RequestContext* from_pool(ngx_http_request_t* r) {
  for (ngx_pool_cleanup_t* cleanup = r->pool->cleanup; cleanup; cleanup = cleanup->next) {
    if (cleanup->handler == context_mark) return static_cast<RequestContext*>(cleanup->data);
  }
  return nullptr;
}

}  // namespace

RequestContext* find_context(ngx_http_request_t* r) {
  ngx_http_request_t* main = r->main;
  if (auto* context = static_cast<RequestContext*>(ngx_http_get_module_ctx(main, ngx_wazo_auth_module))) return context;
  return from_pool(main);
}

RequestContext* get_context(ngx_http_request_t* r) {
  ngx_http_request_t* main = r->main;
  if (auto* context = static_cast<RequestContext*>(ngx_http_get_module_ctx(main, ngx_wazo_auth_module))) return context;
  RequestContext* context = from_pool(main);
  if (context) {
    context->stop_waiting();
    context->stage = RequestContext::Stage::fresh;
    context->page_status = 0;
    context->page = {};
    context->replacing = context->replaced = context->held_back = false;
  } else {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(main->pool, sizeof(RequestContext));
    if (!cleanup) return nullptr;
    ngx_memzero(cleanup->data, sizeof(RequestContext));
    cleanup->handler = context_mark;
    context = static_cast<RequestContext*>(cleanup->data);
    context->request = main;
  }
  ngx_http_set_ctx(main, context, ngx_wazo_auth_module);
  return context;
}

const char* status_name(Status status) {
  static constexpr const char* names[] = {"",        "hit",      "miss",    "grace",       "preflight", "denied",
                                          "unknown", "no_token", "refused", "unavailable", "shadow"};
  return names[static_cast<int>(status)];
}

const char* reason_name(Reason reason) {
  static constexpr const char* names[] = {"",
                                          "no_token",
                                          "unknown_token",
                                          "revoked_token",
                                          "expired_token",
                                          "missing_access",
                                          "unusable_access",
                                          "unknown_operation",
                                          "foreign_tenant",
                                          "locked_address",
                                          "ambiguous_path",
                                          "ambiguous_method",
                                          "ambiguous_token",
                                          "ambiguous_tenant",
                                          "database_away",
                                          "overload",
                                          "timeout"};
  static_assert(std::size(names) == static_cast<std::size_t>(Reason::names));
  return names[static_cast<int>(reason)];
}

}  // namespace wazoauth::nginx
