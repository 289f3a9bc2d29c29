#include "identity.h"

#include <algorithm>
#include <iterator>

#include "conf.h"
#include "headers.h"

namespace wazoauth::nginx {

namespace {

struct Header {
  HeaderName name;
  Fact fact;
};
constexpr Header identity[] = {
    {{"Wazo-User-UUID", "wazo-user-uuid"}, Fact::user_uuid},
    {{"Wazo-Token-Tenant-UUID", "wazo-token-tenant-uuid"}, Fact::tenant_uuid},
    {{"Wazo-Session-UUID", "wazo-session-uuid"}, Fact::session_uuid},
};

// CGI-like upstreams see no difference between '-' and '_'.
bool same(const ngx_table_elt_t& header, std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const u_char c = header.key.data[i] == '_' ? '-' : ngx_tolower(header.key.data[i]);
    if (c != static_cast<u_char>(name[i])) return false;
  }
  return true;
}

inline bool is_identity(const ngx_table_elt_t& header) {
  return std::any_of(std::begin(identity), std::end(identity), [&](const Header& each) {
    return header.key.len == each.name.text.size() && same(header, each.name.lower_case);
  });
}

// $http_wazo_user_uuid and the like, when somebody has asked for them already.
void forget_variables(ngx_http_request_t* r) {
  for (const ngx_int_t index : main_conf(r).kept.identity) forget_variable(r, index);
}

}  // namespace

bool clear_identity(ngx_http_request_t* r) {
  const bool complete = drop_headers(r, [](const ngx_table_elt_t& header) { return is_identity(header); });
  forget_variables(r);
  return complete;
}

bool set_identity(ngx_http_request_t* r, const TokenFacts& facts) {
  forget_variables(r);
  auto* text = static_cast<char*>(ngx_pnalloc(r->pool, std::size(identity) * longest_fact));
  if (!text) return false;
  for (const Header& each : identity) {
    const std::size_t size = facts.packed().write(each.fact, text);
    if (size != 0 && !add_header_in(r, each.name, {size, reinterpret_cast<u_char*>(text)})) return false;
    text += size;
  }
  return true;
}

}  // namespace wazoauth::nginx
