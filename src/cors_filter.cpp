// A refusal of ours can be read by a browser's application of another origin, as an answer of the API can: with the
// headers that the YAML's rest_api.cors says. This runs behind nginx's own filter for headers, so that those of the
// administrator (`add_header ... always`) are there already, and win.
#include "answers.h"
#include "conf.h"
#include "context.h"
#include "handlers.h"
#include "wazoauth/base/ascii.h"
#include "wazoauth/base/log.h"
#include "wazoauth/rest/cors.h"

namespace wazoauth::nginx {

ngx_http_output_header_filter_pt next_cors_filter;

namespace {

// A page of the administrator's own in place of ours is a refusal, too; what an upstream answers is the upstream's.
bool is_refusal(ngx_http_request_t* r) {
  const RequestContext* context = find_context(r);
  return context && context->page_status == static_cast<ngx_int_t>(r->headers_out.status) &&
         (context->replacing || !r->upstream);
}

bool is_there(ngx_http_request_t* r, std::string_view name, std::string_view word = "") {
  bool found = false;
  each_header(r->headers_out.headers, [&](const ngx_table_elt_t& header) {
    if (header.hash == 0 || !ascii::same(view(header.key), name)) return;
    found = found || word.empty() || ascii::lower(view(header.value)).find(word) != std::string::npos;
  });
  return found;
}

bool add_challenge(ngx_http_request_t* r) {
  const RequestContext* context = find_context(r);
  const bool ours = context->challenge && r->headers_out.status == NGX_HTTP_UNAUTHORIZED;
  if (!ours || is_there(r, "WWW-Authenticate")) return true;
  return push(r, "WWW-Authenticate", context->challenge);
}

bool add_headers(ngx_http_request_t* r) {
  if (!add_challenge(r)) return false;
  if (is_there(r, "Access-Control-Allow-Origin")) return true;
  Request request;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (ascii::same(view(header.key), "origin")) request.headers.emplace_back("origin", view(header.value));
  });
  Response response;
  add_cors(*main_conf(r).settings, request, response);
  for (const auto& [name, value] : response.headers) {
    if (name == "Vary" && is_there(r, name, ascii::lower(value))) continue;
    if (!push(r, name, value)) return false;
  }
  return true;
}

}  // namespace

ngx_int_t cors_filter(ngx_http_request_t* r) {
  if (r == r->main && r->err_status) {
    try {
      if (is_refusal(r) && !add_headers(r)) return NGX_ERROR;
    } catch (const std::exception& e) {
      log::error(e.what());
      return NGX_ERROR;
    }
  }
  return next_cors_filter(r);
}

}  // namespace wazoauth::nginx
