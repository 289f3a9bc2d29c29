#include "headers.h"

namespace wazoauth::nginx {

bool add_header_in(ngx_http_request_t* r, const HeaderName& name, ngx_str_t value) {
  const auto text = [](std::string_view s) {
    return ngx_str_t{s.size(), reinterpret_cast<u_char*>(const_cast<char*>(s.data()))};
  };
  ngx_table_elt_t* header = push_header(r->headers_in.headers, text(name.text), value);
  if (!header) return false;
  header->lowcase_key = text(name.lower_case).data;
  header->hash = name.hash;
  return true;
}

}  // namespace wazoauth::nginx
