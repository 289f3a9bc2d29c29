#include "refusals.h"

#include <pthread.h>

#include <algorithm>
#include <array>

#include "own_logs.h"
#include "request.h"
#include "trace.h"
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

// What has happened, and how it is called.
struct Told {
  log::Level level;
  const char* event;
  const char* words;
};

std::string access_of(const RequestContext& context) {
  return context.has_access && !context.required_refused ? std::string(view(context.required)) : "none";
}

std::string token_of(const RequestContext& context) {
  return context.token.len ? log::mask_token(view(context.token)) : "none";
}

std::string sentence(const Told& told, const RequestContext& context, const std::string& operation) {
  std::string text = std::string(told.words) + ": " + reason_name(context.reason) + ", token: " + token_of(context) +
                     ", required access: " + access_of(context);
  if (!operation.empty()) text += ", operation: " + operation;
  return text;
}

void write_own(ngx_http_request_t* r, const RequestContext& context, const Told& told, const std::string& operation) {
  if (!has_own_logs()) return;
  const std::string client = client_address(r, main_conf(r)), request(view(r->request_line));
  log::Line line{
      .level = told.level,
      .message = sentence(told, context, operation) + ", client: " + client + ", request: \"" + request + '"',
      .trace_id = std::string(known_trace_id(r)),
      .fields = {{"event", told.event},
                 {"reason", reason_name(context.reason)},
                 {"client", client},
                 {"token", token_of(context)},
                 {"required_access", access_of(context)},
                 {"request", request}},
      .time = unix_time(),
      .thread = static_cast<std::uintptr_t>(pthread_self())};
  if (!operation.empty()) line.fields.emplace_back("operation", operation);
  write_own_logs(std::move(line));
}

void write_refusal(ngx_http_request_t* r, const RequestContext& context, const Told& told,
                   const std::string& operation) {
  if (told.level >= log::level()) write_own(r, context, told, operation);
  const ngx_uint_t level = nginx_level(told.level);
  if (r->connection->log->log_level < level) return;
  const std::string_view trace = known_trace_id(r);
  const std::string text = sentence(told, context, operation) + (trace.empty() ? "" : ", trace: " + std::string(trace));
  ngx_log_error(level, r->connection->log, 0, "wazo_auth: %s", text.c_str());
}

}  // namespace

void log_refusal(ngx_http_request_t* r, const RequestContext& context) {
  const log::Level level = is_first_of_its_second(context.reason) ? log::Level::error : log::Level::info;
  write_refusal(r, context, {level, "refused", "refused"}, "");
}

void log_shadow(ngx_http_request_t* r, const RequestContext& context, const std::string& operation) {
  write_refusal(r, context, {log::Level::warning, "would_be_refused", "would be refused"}, operation);
}

}  // namespace wazoauth::nginx
