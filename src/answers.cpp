#include "answers.h"

#include <memory>

namespace wazoauth::nginx {

bool push(ngx_http_request_t* r, std::string_view name, std::string_view value) {
  const ngx_str_t key = copy(r->pool, name), text = copy(r->pool, value);
  return key.data && text.data && push_header(r->headers_out.headers, key, text);
}

namespace {

// The text goes with the request's pool: a long list isn't copied.
ngx_int_t send_body(ngx_http_request_t* r, std::string text) {
  ngx_pool_cleanup_t* owner = ngx_pool_cleanup_add(r->pool, sizeof(std::string));
  auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
  if (!owner || !buffer) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  auto* body = new (owner->data) std::string(std::move(text));
  owner->handler = [](void* data) { std::destroy_at(static_cast<std::string*>(data)); };
  buffer->start = buffer->pos = reinterpret_cast<u_char*>(body->data());
  buffer->end = buffer->last = buffer->pos + body->size();
  buffer->last_buf = r == r->main;
  buffer->last_in_chain = 1;
  buffer->memory = !body->empty();  // an empty one must be special, or the writer complains
  ngx_chain_t out{buffer, nullptr};
  return ngx_http_output_filter(r, &out);
}

}  // namespace

ngx_int_t send(ngx_http_request_t* r, Response response) {
  // What was asked for has been done. nginx would test If-Match and the like now, and answer 412 or 304 in our place.
  r->disable_not_modified = 1;
  r->allow_ranges = 0;
  r->headers_out.status = response.status;
  r->headers_out.content_length_n = response.has_body ? static_cast<off_t>(response.body.size()) : -1;
  if (response.has_body) {
    r->headers_out.content_type = copy(r->pool, response.content_type);
    if (!r->headers_out.content_type.data) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    // nginx adds a charset only to a type that has no parameters.
    r->headers_out.content_type_len = std::min(response.content_type.find(';'), response.content_type.size());
    r->headers_out.content_type_lowcase = nullptr;
  } else if (!push(r, "Content-Type", response.content_type)) {
    // nginx's own field is dropped from a 204.
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  for (const auto& [name, value] : response.headers) {
    if (!push(r, name, value)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  if (!response.has_body) r->header_only = 1;
  const ngx_int_t rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  return send_body(r, std::move(response.body));
}

Response to_response(const Problem& problem) {
  Response response = Response::json(problem.body(), problem.status());
  response.headers = problem.headers;
  return response;
}

ngx_int_t answer_in_place_of_page(ngx_http_request_t* r, RequestContext& context, const Problem& problem) {
  context.page_status = problem.status();
  context.page = copy(r->pool, problem.body().dump() + "\n");
  context.retry_after = {};
  for (const auto& [name, value] : problem.headers) {
    if (name == "Retry-After") context.retry_after = copy(r->pool, value);
  }
  return problem.status();
}

}  // namespace wazoauth::nginx
