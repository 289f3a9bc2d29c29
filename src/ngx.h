// The one place where nginx's headers come in, and small bridges between its texts and ours.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

#include <string_view>

#include "wazoauth/base/clock.h"

extern "C" ngx_module_t ngx_wazo_auth_module, ngx_wazo_auth_gate_module, ngx_wazo_auth_cors_filter_module;

namespace wazoauth::nginx {

inline std::string_view view(const ngx_str_t& text) {
  return {reinterpret_cast<const char*>(text.data), text.len};
}

// A directive, and where it stands.
struct Place {
  ngx_str_t directive;
  ngx_str_t file;
  ngx_uint_t line;  // 0: nowhere
};

// A copy in the pool; data is null when memory is short.
inline ngx_str_t copy(ngx_pool_t* pool, std::string_view text) {
  ngx_str_t result{0, static_cast<u_char*>(ngx_pnalloc(pool, text.size() + 1))};
  if (!result.data) return result;
  ngx_memcpy(result.data, text.data(), text.size());
  result.data[text.size()] = 0;
  result.len = text.size();
  return result;
}

// BootClock's time as of this turn of the event loop, as ngx_time() is the wall clock's: for the loop only. nginx keeps
// CLOCK_MONOTONIC in ngx_current_msec, which stands still while the machine sleeps; it tells when to look again.
inline BootTime loop_time() {
  static ngx_msec_t turn = 0;
  static BootTime time;
  if (turn != ngx_current_msec || time == BootTime()) {
    turn = ngx_current_msec;
    time = BootClock::now();
  }
  return time;
}

// Its value is made anew when somebody asks for it again. `index`: -1 when the configuration asks for it nowhere.
inline void forget_variable(ngx_http_request_t* r, ngx_int_t index) {
  if (index < 0) return;
  r->variables[index].valid = 0;
  r->variables[index].not_found = 0;
}

// Modules that add headers to a request leave lowcase_key out.
inline bool is_named(const ngx_table_elt_t& header, std::string_view lower_case) {
  if (header.key.len != lower_case.size()) return false;
  if (header.lowcase_key) return ngx_memcmp(header.lowcase_key, lower_case.data(), lower_case.size()) == 0;
  for (std::size_t i = 0; i < lower_case.size(); ++i) {
    if (ngx_tolower(header.key.data[i]) != static_cast<u_char>(lower_case[i])) return false;
  }
  return true;
}

// Calls visit(header) for each header of a list.
template <typename Visit>
void each_header(ngx_list_t& list, Visit visit) {
  for (ngx_list_part_t* part = &list.part; part; part = part->next) {
    auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; ++i) visit(headers[i]);
  }
}

// Texts must live as long as the request. Null when memory is short.
inline ngx_table_elt_t* push_header(ngx_list_t& list, ngx_str_t key, ngx_str_t value) {
  auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&list));
  if (!header) return nullptr;
  *header = {};
  header->hash = 1;
  header->key = key;
  header->value = value;
  return header;
}

}  // namespace wazoauth::nginx
