#include "wazoauth/base/log.h"

#include <pthread.h>

#include <atomic>
#include <cstdio>

namespace wazoauth::log {
namespace {

void to_stderr(const Line& line) {
  const std::string text = std::string(name_of(line.level)) + ": " + traced_message(line) + '\n';
  // One call, so that lines of several threads don't mix.
  std::fwrite(text.data(), 1, text.size(), stderr);
}

std::function<void(Line)>& sink() {
  static std::function<void(Line)> current = to_stderr;
  return current;
}

std::atomic<Level> lowest{Level::info};
thread_local std::string_view current_trace;

constexpr std::string_view mask = "XXXXXXXX-XXXX-XXXX-XXXX-XXXX";
constexpr std::size_t shown = 8;

}  // namespace

void set_sink(std::function<void(Line)> new_sink) {
  sink() = new_sink ? std::move(new_sink) : to_stderr;
}

void set_level(Level level) {
  lowest.store(level, std::memory_order_relaxed);
}

Level level() {
  return lowest.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message, Fields fields) {
  if (level < lowest.load(std::memory_order_relaxed)) return;
  sink()({level, std::string(message), std::string(current_trace), std::move(fields), unix_time(),
          static_cast<std::uintptr_t>(pthread_self())});
}

Traced::Traced(std::string_view trace_id) : before_(std::exchange(current_trace, trace_id)) {}

Traced::~Traced() {
  current_trace = before_;
}

const char* name_of(Level level) {
  static constexpr const char* names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
  return names[static_cast<int>(level)];
}

std::string traced_message(const Line& line) {
  return line.trace_id.empty() ? line.message : line.message + ", trace: " + line.trace_id;
}

std::string mask_token(std::string_view token) {
  std::string masked(mask);
  // A short text that is no token would otherwise be shown whole.
  if (token.size() > 2 * shown) masked += token.substr(token.size() - shown);
  return masked;
}

bool is_masked(std::string_view text) {
  return text.starts_with(mask) && text.size() <= mask.size() + shown;
}

}  // namespace wazoauth::log
