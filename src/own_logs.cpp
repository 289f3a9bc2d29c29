#include "own_logs.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "wazoauth/base/json.h"
#include "wazoauth/base/mask.h"

namespace wazoauth::nginx {

namespace {

std::vector<OwnLog> logs;
std::vector<std::string> names;  // of query parameters that hold tokens

constexpr const char* logger = "wazo_auth";

struct Time {
  std::tm parts{};
  int milliseconds;
};

Time time_of(const log::Line& line, std::tm* (*convert)(const std::time_t*, std::tm*)) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(line.time).time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  Time time{{}, static_cast<int>((since - seconds).count())};
  const std::time_t clock = seconds.count();
  convert(&clock, &time.parts);
  return time;
}

std::string formatted(const std::tm& time, const char* format) {
  char text[64];
  return {text, std::strftime(text, sizeof(text), format, &time)};
}

std::string three_digits(int number) {
  char text[16];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof(text), "%03d", number))};
}

std::string as_daemon(const log::Line& line) {
  const Time time = time_of(line, localtime_r);
  return formatted(time.parts, "%Y-%m-%d %H:%M:%S,") + three_digits(time.milliseconds) + formatted(time.parts, " %Z") +
         " [pid " + std::to_string(ngx_pid) + "] [tid " + std::to_string(line.thread) + "] (" +
         log::name_of(line.level) + ") (" + logger + "): " + log::traced_message(line);
}

// What a client has chosen comes last, so that readers who go by patterns can begin on the left.
std::string as_json(const log::Line& line) {
  const Time time = time_of(line, gmtime_r);
  Json object = Json::object({
      {"time", formatted(time.parts, "%Y-%m-%dT%H:%M:%S.") + three_digits(time.milliseconds) + "Z"},
      {"level", log::name_of(line.level)},
      {"logger", logger},
      {"pid", static_cast<std::int64_t>(ngx_pid)},
      {"tid", static_cast<std::int64_t>(line.thread)},
  });
  if (!line.trace_id.empty()) object.set("trace_id", line.trace_id);
  for (const auto& [name, value] : line.fields) object.set(std::string(name), value);
  object.set("message", line.message);
  return object.dump();
}

// As nginx does it with its own.
void write(OwnLog& log, std::string text) {
  if (log.disk_full_time == ngx_time()) return;
  text += '\n';
  const ssize_t written = ngx_write_fd(log.file->fd, reinterpret_cast<u_char*>(text.data()), text.size());
  if (written == -1 && ngx_errno == NGX_ENOSPC) log.disk_full_time = ngx_time();
}

}  // namespace

void use_own_logs(std::vector<OwnLog> all, std::vector<std::string> secrets) {
  logs = std::move(all);
  names = std::move(secrets);
}

bool has_own_logs() {
  return !logs.empty();
}

ngx_uint_t nginx_level(log::Level level) {
  static constexpr ngx_uint_t levels[] = {NGX_LOG_DEBUG, NGX_LOG_INFO, NGX_LOG_WARN, NGX_LOG_ERR, NGX_LOG_EMERG};
  return levels[static_cast<int>(level)];
}

void write_own_logs(log::Line line) noexcept {
  if (logs.empty()) return;
  try {
    line.message = gate::loggable(line.message, names);
    for (auto& [name, value] : line.fields) value = gate::loggable(value, names);
    for (OwnLog& log : logs) write(log, log.format == OwnLog::json ? as_json(line) : as_daemon(line));
  } catch (const std::exception&) {
    // There is no memory for the line.
  }
}

}  // namespace wazoauth::nginx
