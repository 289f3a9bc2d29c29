#include "identity.h"

#include <array>

#include "conf.h"
#include "headers.h"

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
  return add_header_in(r, name, lower_case, {ngx_strlen(value), reinterpret_cast<u_char*>(const_cast<char*>(value))});
}

// $http_wazo_user_uuid and the like, when somebody has asked for them already.
void forget_variables(ngx_http_request_t* r) {
  for (const ngx_int_t index : main_conf(r).kept.identity) forget_variable(r, index);
}

}  // namespace

bool clear_identity(ngx_http_request_t* r) {
  const bool complete = drop_headers(r, is_identity);
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
