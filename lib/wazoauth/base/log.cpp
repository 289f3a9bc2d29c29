#include "wazoauth/base/log.h"

#include <atomic>
#include <cstdio>

namespace wazoauth::log {
namespace {

constexpr const char* names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

void to_stderr(Level level, std::string_view message) {
  std::string line = std::string(names[static_cast<int>(level)]) + ": ";
  line += message;
  line += '\n';
  // One call, so that lines of several threads don't mix.
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::function<void(Level, std::string_view)>& sink() {
  static std::function<void(Level, std::string_view)> current = to_stderr;
  return current;
}

std::atomic<Level> lowest{Level::info};

constexpr std::string_view mask = "XXXXXXXX-XXXX-XXXX-XXXX-XXXX";
constexpr std::size_t shown = 8;

}  // namespace

void set_sink(std::function<void(Level, std::string_view)> new_sink) {
  sink() = new_sink ? std::move(new_sink) : to_stderr;
}

void set_level(Level level) {
  lowest.store(level, std::memory_order_relaxed);
}

Level level() {
  return lowest.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message) {
  if (level < lowest.load(std::memory_order_relaxed)) return;
  sink()(level, message);
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
