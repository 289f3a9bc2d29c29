#include "trace.h"

#include <optional>
#include <string>

#include "conf.h"
#include "context.h"
#include "handlers.h"
#include "headers.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/trace.h"

namespace wazoauth::nginx {

namespace {

// That of the client, or of a proxy or a module in front of us. nullopt: there is none, or two, or it isn't valid.
std::optional<std::string_view> received(ngx_http_request_t* r) {
  std::optional<std::string_view> found;
  unsigned count = 0;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (!is_named(header, "traceparent")) return;
    ++count;
    found = view(header.value);
  });
  return count == 1 && trace_id_of(*found) ? found : std::nullopt;
}

// Its value isn't kept: it may be another one later.
std::string value_of(ngx_http_request_t* r, ngx_int_t index) {
  if (index < 0) return {};
  const ngx_http_variable_value_t* value = ngx_http_get_flushed_variable(r, static_cast<ngx_uint_t>(index));
  if (!value || value->not_found) return {};
  std::string text(reinterpret_cast<const char*>(value->data), value->len);
  forget_variable(r, index);
  return text;
}

std::optional<std::string> of_otel(ngx_http_request_t* r) {
  const KeptVariables& kept = main_conf(r).kept;
  const std::string trace = value_of(r, kept.otel_trace), span = value_of(r, kept.otel_span);
  if (!is_trace_id(trace) || !is_span_id(span)) return std::nullopt;
  return traceparent_of(trace, span);
}

// What the request has to have in place of what it has, "" when that is right.
std::string wanted(ngx_http_request_t* r, std::optional<std::string_view> there) {
  if (const auto otel = of_otel(r)) {
    const bool same = there && trace_id_of(*there) == trace_id_of(*otel);
    return same ? "" : *otel;
  }
  return there ? "" : new_traceparent();
}

bool settle(ngx_http_request_t* r, RequestContext& context) {
  const auto there = received(r);
  const std::string ours = wanted(r, there);
  context.trace_is_ours = !ours.empty();
  context.traceparent = copy(r->pool, context.trace_is_ours ? ours : *there);
  return context.traceparent.data != nullptr;
}

// Null: memory is short. Not get_context() when there is one: that begins anew after an internal redirect.
RequestContext* settled(ngx_http_request_t* r) {
  RequestContext* context = find_context(r);
  if (!context) context = get_context(r);
  if (!context || context->traceparent.len) return context;
  return settle(r, *context) ? context : nullptr;
}

// What other tracers have said belongs to the header that it came with.
bool pass_on(ngx_http_request_t* r, RequestContext& context) {
  const auto is_others = [](const ngx_table_elt_t& header) {
    return is_named(header, "traceparent") || is_named(header, "tracestate");
  };
  if (!drop_headers(r, is_others) || !add_header_in(r, {"traceparent", "traceparent"}, context.traceparent))
    return false;
  for (const ngx_int_t index : main_conf(r).kept.trace) forget_variable(r, index);
  context.trace_is_ours = false;
  return true;
}

}  // namespace

ngx_int_t trace_handler(ngx_http_request_t* r) {
  if (r != r->main || !loc_conf(r).trace) return NGX_DECLINED;
  try {
    RequestContext* context = settled(r);
    if (!context) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (context->trace_is_ours && !pass_on(r, *context)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  } catch (const std::exception& e) {
    log::error(std::string("trace: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return NGX_DECLINED;
}

std::string_view traceparent(ngx_http_request_t* r) noexcept {
  try {
    const RequestContext* context = find_context(r);
    if (context && context->traceparent.len) return view(context->traceparent);
    if (r != r->main || !loc_conf(r).trace) return {};
    context = settled(r);
    return context ? view(context->traceparent) : std::string_view();
  } catch (const std::exception& e) {
    log::error(std::string("trace: ") + e.what());
    return {};
  }
}

std::string_view known_trace_id(ngx_http_request_t* r) {
  const RequestContext* context = find_context(r);
  return context ? trace_id_of(view(context->traceparent)).value_or("") : std::string_view();
}

}  // namespace wazoauth::nginx
