// Log lines of the core. The program that hosts the library decides where they go; the default is stderr.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace wazoauth::log {

enum class Level { debug, info, warning, error, emergency };

// Called from any thread. Set once, before threads exist.
void set_sink(std::function<void(Level, std::string_view)> sink);
void set_level(Level level);  // lines below are dropped; may be changed at any time
Level level();

void write(Level level, std::string_view message);
inline void debug(std::string_view message) {
  write(Level::debug, message);
}
inline void info(std::string_view message) {
  write(Level::info, message);
}
inline void warning(std::string_view message) {
  write(Level::warning, message);
}
inline void error(std::string_view message) {
  write(Level::error, message);
}
// The machine lacks what the service needs: somebody has to look at it.
inline void emergency(std::string_view message) {
  write(Level::emergency, message);
}

// "XXXXXXXX-XXXX-XXXX-XXXX-XXXX" + the last 8 characters: how a token may appear in a log.
std::string mask_token(std::string_view token);
bool is_masked(std::string_view text);  // made by mask_token()

}  // namespace wazoauth::log
