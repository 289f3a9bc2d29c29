#include "answers.h"

#include <memory>

#include "wazoauth/base/temporary_file.h"

namespace wazoauth::nginx {

bool push(ngx_http_request_t* r, std::string_view name, std::string_view value) {
  const ngx_str_t key = copy(r->pool, name), text = copy(r->pool, value);
  return key.data && text.data && push_header(r->headers_out.headers, key, text);
}

namespace {

// The request's pool keeps it, and so nothing is copied. Null: memory is short.
template <typename Body>
Body* keep(ngx_http_request_t* r, Body body) {
  ngx_pool_cleanup_t* owner = ngx_pool_cleanup_add(r->pool, sizeof(Body));
  if (!owner) return nullptr;
  auto* kept = new (owner->data) Body(std::move(body));
  owner->handler = [](void* data) { std::destroy_at(static_cast<Body*>(data)); };
  return kept;
}

bool show_text(ngx_http_request_t* r, ngx_buf_t& buffer, std::string text) {
  std::string* const kept = keep(r, std::move(text));
  if (!kept) return false;
  buffer.start = buffer.pos = reinterpret_cast<u_char*>(kept->data());
  buffer.end = buffer.last = buffer.pos + kept->size();
  buffer.memory = !kept->empty();  // an empty one must be special, or the writer complains
  return true;
}

bool show_file(ngx_http_request_t* r, ngx_buf_t& buffer, std::shared_ptr<const TemporaryFile> file) {
  const auto* const kept = keep(r, std::move(file));
  auto* const shown = static_cast<ngx_file_t*>(ngx_pcalloc(r->pool, sizeof(ngx_file_t)));
  if (!kept || !shown) return false;
  shown->fd = (*kept)->descriptor();
  shown->name = ngx_string("a long answer's temporary file");
  shown->log = r->connection->log;
  buffer.file = shown;
  buffer.file_last = static_cast<off_t>((*kept)->size());
  buffer.in_file = 1;
  return true;
}

ngx_int_t send_body(ngx_http_request_t* r, Response response) {
  auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
  if (!buffer) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  const bool shown =
      response.file ? show_file(r, *buffer, std::move(response.file)) : show_text(r, *buffer, std::move(response.body));
  if (!shown) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  buffer->last_buf = r == r->main;
  buffer->last_in_chain = 1;
  ngx_chain_t out{buffer, nullptr};
  return ngx_http_output_filter(r, &out);
}

}  // namespace

ngx_int_t send(ngx_http_request_t* r, Response response) {
  // What was asked for has been done. nginx would test If-Match and the like now, and answer 412 or 304 in our place.
  r->disable_not_modified = 1;
  r->allow_ranges = 0;
  r->headers_out.status = response.status;
  r->headers_out.content_length_n = response.has_body ? static_cast<off_t>(response.length()) : -1;
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
  return send_body(r, std::move(response));
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
