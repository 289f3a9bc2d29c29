// The output filters: they put a problem's body in the place of nginx's page, and hand upgraded connections over.
#include "answers.h"
#include "cached.h"
#include "conf.h"
#include "handlers.h"
#include "process.h"
#include "wazoauth/gate/answers.h"
#include "websocket.h"

namespace wazoauth::nginx {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

namespace {

// With `satisfy any` another module may have admitted a request that the gate refused: then the page is the content's.
bool access_is_being_judged(ngx_http_request_t* r) {
  const auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  const auto checker = core->phase_engine.handlers[r->phase_handler].checker;
  return checker == ngx_http_core_access_phase || checker == ngx_http_core_post_access_phase;
}

bool is_page_of_nginx(ngx_http_request_t* r) {
  return r->err_status >= NGX_HTTP_BAD_REQUEST && view(r->headers_out.content_type) == "text/html";
}

// The API answers in JSON also where nginx refused a request before it came to us (too large a body, a limit).
bool prepare_api_page(ngx_http_request_t* r) {
  RequestContext* context = get_context(r);
  if (!context) return false;
  answer_in_place_of_page(r, *context, gate::plain(static_cast<int>(r->err_status)));
  return true;
}

ngx_int_t replace_headers(ngx_http_request_t* r, RequestContext& context) {
  context.replacing = true;
  context.replaced = false;
  if (context.closes) return accept_to_close(r) ? NGX_OK : NGX_ERROR;
  r->headers_out.content_length_n = static_cast<off_t>(context.page.len);
  ngx_str_set(&r->headers_out.content_type, "application/json");
  r->headers_out.content_type_len = r->headers_out.content_type.len;
  r->headers_out.content_type_lowcase = nullptr;
  if (context.retry_after.len && !push_header(r->headers_out.headers, ngx_string("Retry-After"), context.retry_after))
    return NGX_ERROR;
  return NGX_OK;
}

ngx_int_t watch(ngx_http_request_t* r) {
  const RequestContext* context = find_context(r);
  if (!context || !context->passed) return NGX_OK;
  const bool upgraded = r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS;
  if (!upgraded && !context->watch) return NGX_OK;
  // From HTTP/2 on there is no such answer.
  if (upgraded && r->http_version >= NGX_HTTP_VERSION_20) return NGX_ERROR;
  process()->upgrades.watch(r, *context);
  return NGX_OK;
}

ngx_int_t change_headers(ngx_http_request_t* r) {
  if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS || main_conf(r).watches) {
    if (watch(r) != NGX_OK) return NGX_ERROR;
  }
  if (!r->err_status || !is_page_of_nginx(r)) return NGX_OK;
  // Not find_context(): after an internal redirect to an administrator's own page that one is shown.
  auto* context = static_cast<RequestContext*>(ngx_http_get_module_ctx(r, ngx_wazo_auth_module));
  const bool ours = context && context->page.len && context->page_status == static_cast<ngx_int_t>(r->err_status) &&
                    access_is_being_judged(r);
  if (!ours) {
    if (loc_conf(r).handler != api_handler || !prepare_api_page(r)) return NGX_OK;
    context = find_context(r);
  }
  return replace_headers(r, *context);
}

}  // namespace

ngx_int_t header_filter(ngx_http_request_t* r) {
  keep_private(r);
  if (r == r->main &&
      (r->err_status || main_conf(r).watches || r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS)) {
    try {
      if (change_headers(r) != NGX_OK) return NGX_ERROR;
    } catch (const std::exception& e) {
      log::error(e.what());
      return NGX_ERROR;
    }
  }
  return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) {
  auto* context = static_cast<RequestContext*>(ngx_http_get_module_ctx(r, ngx_wazo_auth_module));
  if (r != r->main || !context || !context->replacing || !in) return next_body_filter(r, in);
  if (context->replaced) return next_body_filter(r, nullptr);
  context->replaced = true;
  auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
  if (!buffer) return NGX_ERROR;
  buffer->memory = 1;
  buffer->pos = context->page.data;
  buffer->last = context->page.data + context->page.len;
  buffer->last_buf = 1;
  buffer->last_in_chain = 1;
  ngx_chain_t out{buffer, nullptr};
  return next_body_filter(r, &out);
}

}  // namespace wazoauth::nginx
