#include "cached.h"

#include <algorithm>
#include <vector>

#include "conf.h"
#include "context.h"

namespace wazoauth::nginx {

#if (NGX_HTTP_CACHE)
namespace {

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++found;
  return found;
}

// A path such as /users/<uuid> may have the user's own uuid in it, and others may read it, too.
std::size_t count_in_target(ngx_http_request_t* r, std::string_view what) {
  return std::max(count(view(r->unparsed_uri), what), count(view(r->uri), what) + count(view(r->args), what));
}

bool names(ngx_http_request_t* r, std::string_view what) {
  if (what.empty()) return false;
  std::size_t found = 0;
  const auto* keys = static_cast<const ngx_str_t*>(r->cache->keys.elts);
  for (ngx_uint_t i = 0; i < r->cache->keys.nelts; ++i) found += count(view(keys[i]), what);
  return found > count_in_target(r, what);
}

bool key_has_identity(ngx_http_request_t* r, const RequestContext& context) {
  for (const Fact fact : {Fact::user_uuid, Fact::tenant_uuid, Fact::session_uuid}) {
    const FactText text = context.facts.get(fact);
    if (names(r, text.view())) return true;
  }
  return names(r, view(context.token));
}

void warn_once(ngx_http_request_t* r, const LocConf& conf) {
  static std::vector<const LocConf*> told;
  if (std::find(told.begin(), told.end(), &conf) != told.end()) return;
  told.push_back(&conf);
  ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                "wazo_auth: answers aren't stored: the key of the cache has nothing of whose they are, see "
                "wazo_auth_cache, in the block at %V:%ui",
                &conf.begin.file, conf.begin.line);
}

}  // namespace

void keep_private(ngx_http_request_t* r) noexcept {
  if (!r->cache || r->cached || !r->upstream || !r->upstream->cacheable) return;
  const LocConf& conf = loc_conf(r);
  const RequestContext* context = find_context(r);
  if (!context || !context->passed || conf.cache || !(conf.gate || conf.identity || context->route.len) ||
      key_has_identity(r, *context))
    return;
  r->upstream->cacheable = 0;
  try {
    warn_once(r, conf);
  } catch (const std::exception&) {
    // There is no memory to remember it.
  }
}
#else
void keep_private(ngx_http_request_t*) noexcept {}
#endif

}  // namespace wazoauth::nginx
