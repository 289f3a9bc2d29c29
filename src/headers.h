// Takes headers out of a request.
#pragma once

#include "ngx.h"

namespace wazoauth::nginx {

// Those of which drop(header) is true. nginx has no way to take a header out of its list, and elements can't be moved,
// because r->headers_in points at them: the list is made anew, the old elements stay where they are. False: memory is
// short.
template <typename Drop>
bool drop_headers(ngx_http_request_t* r, Drop drop) {
  bool found = false;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) { found = found || drop(header); });
  if (!found) return true;
  ngx_list_t kept;
  if (ngx_list_init(&kept, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) return false;
  bool complete = true;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (drop(header)) return;
    auto* copied = static_cast<ngx_table_elt_t*>(ngx_list_push(&kept));
    if (copied)
      *copied = header;
    else
      complete = false;
  });
  const bool one_part = kept.last == &kept.part;
  r->headers_in.headers = kept;
  if (one_part) r->headers_in.headers.last = &r->headers_in.headers.part;
  return complete;
}

// A name that is known to the compiler, with all that nginx keeps of one.
struct HeaderName {
  template <std::size_t size>
  consteval HeaderName(const char (&name)[size], const char (&lower_case_name)[size])
      : text(name, size - 1), lower_case(lower_case_name, size - 1) {
    for (const char c : lower_case) hash = ngx_hash(hash, static_cast<u_char>(c));
  }
  std::string_view text, lower_case;
  ngx_uint_t hash = 0;
};

// Adds a header as if the client had sent it; the value lives as long as the request. False: memory is short.
bool add_header_in(ngx_http_request_t* r, const HeaderName& name, ngx_str_t value);

}  // namespace wazoauth::nginx
