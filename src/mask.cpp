// Hides tokens in what nginx's logs print of a request. As early as a module can: before any location is known.
#include "wazoauth/gate/mask.h"

#include "conf.h"
#include "handlers.h"
#include "wazoauth/log.h"

namespace wazoauth::nginx {

namespace {

void mask(ngx_http_request_t* r, ngx_str_t& text, const std::vector<std::string>& names) {
  const auto masked = gate::mask_tokens(view(text), names);
  if (!masked) return;
  const ngx_str_t shown = copy(r->pool, *masked);
  if (shown.data) text = shown;
}

}  // namespace

// nginx routes by other copies of the request line; this one is only printed.
ngx_int_t mask_handler(ngx_http_request_t* r) {
  const MainConf& conf = main_conf(r);
  if (!conf.settings) return NGX_DECLINED;
  try {
    mask(r, r->request_line, conf.query_names);
    if (r->headers_in.referer) mask(r, r->headers_in.referer->value, conf.query_names);
  } catch (const std::exception& e) {
    log::error(e.what());
  }
  return NGX_DECLINED;
}

}  // namespace wazoauth::nginx
