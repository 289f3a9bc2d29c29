#include "refusals.h"

#include <algorithm>
#include <array>

#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

namespace {

constexpr std::chrono::seconds between_errors{1};

bool is_first_of_its_second(Reason reason) {
  static std::array<BootTime, static_cast<std::size_t>(Reason::names)> last;
  BootTime& before = last[static_cast<std::size_t>(reason)];
  if (before != BootTime() && loop_time() - before < between_errors) return false;
  before = loop_time();
  return true;
}

}  // namespace

Reason reason_of(gate::Verdict::Reason reason) {
  switch (reason) {
    case gate::Verdict::Reason::revoked:
      return Reason::revoked_token;
    case gate::Verdict::Reason::expired:
      return Reason::expired_token;
    default:
      return Reason::unknown_token;
  }
}

const char* challenge_of(const LocConf& conf) {
  const auto* sources = static_cast<const TokenSource*>(conf.token_from->elts);
  const bool bearer = std::any_of(sources, sources + conf.token_from->nelts,
                                  [](const TokenSource& source) { return source.kind == TokenSource::bearer; });
  return bearer ? "Bearer realm=\"wazo-auth\"" : "Wazo realm=\"wazo-auth\"";
}

namespace {

// `told`: what has happened, and to what.
void write_refusal(ngx_http_request_t* r, const RequestContext& context, ngx_uint_t level, const char* told,
                   const std::string& operation) {
  if (r->connection->log->log_level < level) return;
  const std::string token = context.token.len ? log::mask_token(view(context.token)) : "none";
  std::string_view access = "none";
  if (context.has_access && !context.required_refused) access = view(context.required);
  const ngx_str_t shown{access.size(), reinterpret_cast<u_char*>(const_cast<char*>(access.data()))};
  ngx_log_error(level, r->connection->log, 0, "wazo_auth: %s: %s, token: %s, required access: %V%s", told,
                reason_name(context.reason), token.c_str(), &shown, operation.c_str());
}

}  // namespace

void log_refusal(ngx_http_request_t* r, const RequestContext& context) {
  const ngx_uint_t level = is_first_of_its_second(context.reason) ? NGX_LOG_ERR : NGX_LOG_INFO;
  write_refusal(r, context, level, "refused", "");
}

void log_shadow(ngx_http_request_t* r, const RequestContext& context, const std::string& operation) {
  write_refusal(r, context, NGX_LOG_WARN, "would be refused", ", operation: " + operation);
}

}  // namespace wazoauth::nginx
