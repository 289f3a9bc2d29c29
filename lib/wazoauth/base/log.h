// Log lines of the core. The program that hosts the library decides where they go; the default is stderr.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/clock.h"

namespace wazoauth::log {

enum class Level { debug, info, warning, error, emergency };

// What a program may want to know of a line without reading its message: docs/operations.md lists the names.
using Fields = std::vector<std::pair<std::string_view, std::string>>;  // names are literals

struct Line {
  Level level;
  std::string message;
  std::string trace_id;  // of the request that it belongs to, "" for none
  Fields fields;
  UnixTime time;
  std::uintptr_t thread;  // who wrote it, as pthread_self() has it
};

// Called from any thread. Set once, before threads exist.
void set_sink(std::function<void(Line)> sink);
void set_level(Level level);  // lines below are dropped; may be changed at any time
Level level();

void write(Level level, std::string_view message, Fields fields = {});
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

// While it lives, what this thread writes belongs to the request of that trace; "" means to none.
class Traced {
 public:
  explicit Traced(std::string_view trace_id);  // which has to live as long
  ~Traced();
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

 private:
  std::string_view before_;
};

// "INFO" and so on: the names that the daemons' logs have.
const char* name_of(Level level);
// "MESSAGE, trace: ID", or the message alone.
std::string traced_message(const Line& line);

// "XXXXXXXX-XXXX-XXXX-XXXX-XXXX" + the last 8 characters: how a token may appear in a log.
std::string mask_token(std::string_view token);
bool is_masked(std::string_view text);  // made by mask_token()

}  // namespace wazoauth::log
