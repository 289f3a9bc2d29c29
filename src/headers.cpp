#include "headers.h"

namespace wazoauth::nginx {

bool add_header_in(ngx_http_request_t* r, const char* name, const char* lower_case, ngx_str_t value) {
  const auto text = [](const char* s) {
    return ngx_str_t{ngx_strlen(s), reinterpret_cast<u_char*>(const_cast<char*>(s))};
  };
  ngx_table_elt_t* header = push_header(r->headers_in.headers, text(name), value);
  if (!header) return false;
  const ngx_str_t key = text(lower_case);
  header->lowcase_key = key.data;
  header->hash = ngx_hash_key(key.data, key.len);
  return true;
}

}  // namespace wazoauth::nginx
