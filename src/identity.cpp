#include "identity.h"

#include <array>

#include "conf.h"

namespace wazoauth::nginx {

namespace {

constexpr std::array<std::string_view, 3> names = {"wazo-user-uuid", "wazo-token-tenant-uuid", "wazo-session-uuid"};

// CGI-like upstreams see no difference between '-' and '_'.
bool same(const ngx_table_elt_t& header, std::string_view name) {
  if (header.key.len != name.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const u_char c = header.key.data[i] == '_' ? '-' : ngx_tolower(header.key.data[i]);
    if (c != static_cast<u_char>(name[i])) return false;
  }
  return true;
}

bool is_identity(const ngx_table_elt_t& header) {
  for (const std::string_view name : names) {
    if (same(header, name)) return true;
  }
  return false;
}

bool push_identity(ngx_http_request_t* r, const char* name, const char* lower_case, const char* value) {
  if (!*value) return true;
  const auto text = [](const char* s) {
    return ngx_str_t{ngx_strlen(s), reinterpret_cast<u_char*>(const_cast<char*>(s))};
  };
  ngx_table_elt_t* header = push_header(r->headers_in.headers, text(name), text(value));
  if (!header) return false;
  const ngx_str_t key = text(lower_case);
  header->lowcase_key = key.data;
  header->hash = ngx_hash_key(key.data, key.len);
  return true;
}

// $http_wazo_user_uuid and the like, when somebody has asked for them already.
void forget_variables(ngx_http_request_t* r) {
  for (const ngx_int_t index : main_conf(r).kept.identity) forget_variable(r, index);
}

}  // namespace

// nginx has no way to take a header out of its list, and elements can't be moved, because r->headers_in points at them:
// the list is made anew, the old elements stay where they are.
bool clear_identity(ngx_http_request_t* r) {
  bool found = false;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) { found = found || is_identity(header); });
  if (!found) return true;
  ngx_list_t kept;
  if (ngx_list_init(&kept, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) return false;
  bool complete = true;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    if (is_identity(header)) return;
    auto* copied = static_cast<ngx_table_elt_t*>(ngx_list_push(&kept));
    if (copied)
      *copied = header;
    else
      complete = false;
  });
  const bool one_part = kept.last == &kept.part;
  r->headers_in.headers = kept;
  if (one_part) r->headers_in.headers.last = &r->headers_in.headers.part;
  forget_variables(r);
  return complete;
}

bool set_identity(ngx_http_request_t* r, const TokenFacts& facts) {
  forget_variables(r);
  return push_identity(r, "Wazo-User-UUID", "wazo-user-uuid", facts.user_uuid) &&
         push_identity(r, "Wazo-Token-Tenant-UUID", "wazo-token-tenant-uuid", facts.tenant_uuid) &&
         push_identity(r, "Wazo-Session-UUID", "wazo-session-uuid", facts.session_uuid);
}

}  // namespace wazoauth::nginx
