// The content handler of wazo_auth_ui: the operator's page, whose files are part of the module.
#include <algorithm>
#include <string>

#include "answers.h"
#include "conf.h"
#include "handlers.h"
#include "ui_files.h"
#include "wazoauth/base/log.h"
#include "wazoauth/http/accept_encoding.h"

namespace wazoauth::nginx {

namespace {

// Nothing comes from elsewhere, nothing is sent elsewhere, nobody frames it, and no text is ever taken for HTML or
// script.
constexpr std::pair<std::string_view, std::string_view> fixed_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},  // that is: asked for again each time, and answered by 304
    {"Vary", "Accept-Encoding"},
};

// All fields of this name: they may come as several lines.
std::string accept_encoding(ngx_http_request_t* r) {
  std::string all;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (is_named(header, "accept-encoding")) (all += view(header.value)) += ',';
  });
  return all;
}

// A file as it is sent: its bytes, and the name of the coding that they are in, empty for none.
struct Sent {
  std::string_view body;
  std::string_view coding;
};

Sent as_accepted(const UiFile& file, std::string_view accepted) {
  if (accepts_brotli(accepted)) return {file.brotli, "br"};
  if (accepts_gzip(accepted)) return {file.gzipped, "gzip"};
  return {file.plain, ""};
}

const UiFile* file_of(std::string_view name) {
  const std::vector<UiFile>& files = ui_files();
  const auto found = std::find_if(files.begin(), files.end(), [&](const UiFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

// The page's own addresses are relative, so it has to be asked for as a folder. So is this one: whoever is in front of
// nginx may show it below another path.
ngx_int_t to_the_folder(ngx_http_request_t* r, std::string_view prefix) {
  const std::string folder = std::string(prefix.substr(prefix.rfind('/') + 1)) + "/";
  r->headers_out.status = NGX_HTTP_MOVED_PERMANENTLY;
  r->headers_out.content_length_n = 0;
  r->header_only = 1;
  return push(r, "Location", folder) ? ngx_http_send_header(r) : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t send_file(ngx_http_request_t* r, const UiFile& file) {
  const auto [body, coding] = as_accepted(file, accept_encoding(r));
  r->headers_out.status = NGX_HTTP_OK;
  r->headers_out.content_length_n = static_cast<off_t>(body.size());
  r->headers_out.content_type = copy(r->pool, file.type);
  r->headers_out.content_type_len = std::min(file.type.find(';'), file.type.size());
  r->headers_out.content_type_lowcase = nullptr;
  for (const auto& [name, value] : fixed_headers) {
    if (!push(r, name, value)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  // nginx compares these with If-None-Match and knows by them that its own gzip or brotli has nothing to do.
  const std::string etag = '"' + std::string(file.tag) + (coding.empty() ? "" : "-") + std::string(coding) + '"';
  const ngx_str_t tag = copy(r->pool, etag), encoding = copy(r->pool, coding);
  if (!r->headers_out.content_type.data || !tag.data) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  r->headers_out.etag = push_header(r->headers_out.headers, ngx_string("ETag"), tag);
  if (!r->headers_out.etag) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (!coding.empty()) {
    r->headers_out.content_encoding = push_header(r->headers_out.headers, ngx_string("Content-Encoding"), encoding);
    if (!r->headers_out.content_encoding) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  const ngx_int_t rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
  if (!buffer) return NGX_ERROR;
  buffer->start = buffer->pos = reinterpret_cast<u_char*>(const_cast<char*>(body.data()));
  buffer->end = buffer->last = buffer->pos + body.size();
  buffer->memory = 1;  // not ours to change: it is part of the binary
  buffer->last_buf = r == r->main;
  buffer->last_in_chain = 1;
  ngx_chain_t out{buffer, nullptr};
  return ngx_http_output_filter(r, &out);
}

}  // namespace

ngx_int_t ui_handler(ngx_http_request_t* r) {
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
  try {
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) return rc;
    const std::string_view prefix = view(loc_conf(r).prefix), uri = view(r->uri);
    if (!uri.starts_with(prefix)) return NGX_HTTP_NOT_FOUND;
    std::string_view name = uri.substr(prefix.size());
    if (name.empty()) return to_the_folder(r, prefix);
    if (name.front() != '/') return NGX_HTTP_NOT_FOUND;
    name.remove_prefix(1);
    const UiFile* file = file_of(name.empty() ? "index.html" : name);
    return file ? send_file(r, *file) : NGX_HTTP_NOT_FOUND;
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

}  // namespace wazoauth::nginx
