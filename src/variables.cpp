#include "conf.h"
#include "context.h"
#include "early.h"
#include "handlers.h"
#include "trace.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/mask.h"
#include "wazoauth/base/trace.h"
#include "wazoauth/gate/target.h"

namespace wazoauth::nginx {

namespace {

ngx_int_t set(ngx_http_variable_value_t* value, std::string_view text) {
  value->len = static_cast<unsigned>(text.size());
  value->data = reinterpret_cast<u_char*>(const_cast<char*>(text.data()));
  value->valid = 1;
  value->no_cacheable = 1;
  value->not_found = text.empty();
  return NGX_OK;
}

ngx_int_t set_copy(ngx_http_request_t* r, ngx_http_variable_value_t* value, std::string_view text) {
  const ngx_str_t copied = copy(r->pool, text);
  return copied.data ? set(value, view(copied)) : NGX_ERROR;
}

// `data` is the Fact.
ngx_int_t get_fact(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
  const auto set_fact = [=](const TokenFacts& facts) {
    const FactText text = facts.get(static_cast<Fact>(data));
    return set_copy(r, value, text.view());
  };
  const RequestContext* context = find_context(r);
  if (context && context->identified) return set_fact(context->facts);
  try {
    TokenFacts facts;
    return identify_early(r, facts) ? set_fact(facts) : set(value, {});
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_ERROR;
  }
}

ngx_int_t get_status(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const RequestContext* context = find_context(r);
  return set(value, context ? status_name(context->status) : "");
}

ngx_int_t get_required(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const RequestContext* context = find_context(r);
  if (!context || !context->has_access || context->required_refused) return set(value, {});
  return set(value, view(context->required));
}

ngx_int_t get_reason(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const RequestContext* context = find_context(r);
  return set(value, context ? reason_name(context->reason) : "");
}

ngx_int_t get_token(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const RequestContext* context = find_context(r);
  if (!context || !context->token.len) return set(value, {});
  try {
    return set_copy(r, value, log::mask_token(view(context->token)));
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_ERROR;
  }
}

// As nginx prints times.
ngx_int_t get_wait_time(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const RequestContext* context = find_context(r);
  if (!context || context->status == Status::none) return set(value, {});
  u_char text[NGX_TIME_T_LEN + 4];
  const auto waited = static_cast<time_t>(context->waited_ms);
  const u_char* end = ngx_sprintf(text, "%T.%03M", waited / 1000, static_cast<ngx_msec_t>(waited % 1000));
  return set_copy(r, value, {reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)});
}

// Masked again: mask_handler() has never seen a request that nginx refused early.
ngx_int_t get_request(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  const std::string_view line = view(r->main->request_line);
  try {
    const auto masked = gate::mask_tokens(line, main_conf(r).query_names);
    if (!masked) return set(value, line);
    const ngx_str_t shown = copy(r->pool, *masked);
    return shown.data ? set(value, view(shown)) : NGX_ERROR;
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_ERROR;
  }
}

ngx_int_t get_verb(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  return set(value, gate::verb(view(r->method_name)));
}

ngx_int_t get_traceparent(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  return set(value, traceparent(r));
}

ngx_int_t get_trace_id(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
  return set(value, trace_id_of(traceparent(r)).value_or(""));
}

struct Variable {
  const char* name;
  ngx_http_get_variable_pt get;
  uintptr_t data;
};

constexpr Variable variables[] = {
    {"wazo_auth_user_uuid", get_fact, static_cast<uintptr_t>(Fact::user_uuid)},
    {"wazo_auth_tenant_uuid", get_fact, static_cast<uintptr_t>(Fact::tenant_uuid)},
    {"wazo_auth_session_uuid", get_fact, static_cast<uintptr_t>(Fact::session_uuid)},
    {"wazo_auth_status", get_status, 0},
    {"wazo_auth_reason", get_reason, 0},
    {"wazo_auth_token", get_token, 0},
    {"wazo_auth_wait_time", get_wait_time, 0},
    {"wazo_auth_required_acl", get_required, 0},
    {"wazo_auth_request", get_request, 0},
    {"wazo_auth_trace_id", get_trace_id, 0},
    {"wazo_auth_traceparent", get_traceparent, 0},
    {"wazo_auth_method_verb", get_verb, 0},
};

}  // namespace

ngx_int_t add_variables(ngx_conf_t* cf) {
  for (const Variable& item : variables) {
    ngx_str_t name{ngx_strlen(item.name), reinterpret_cast<u_char*>(const_cast<char*>(item.name))};
    ngx_http_variable_t* variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (!variable) return NGX_ERROR;
    variable->get_handler = item.get;
    variable->data = item.data;
  }
  return NGX_OK;
}

}  // namespace wazoauth::nginx
