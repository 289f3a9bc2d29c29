// What was done one after the other, and how each step ended: for an administrator who tries a configuration. Code that
// does the real thing tells a trial when there is one, so that what is tried is what is done.
//
// A trial is shown as it is: nothing secret belongs in it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

class Trial {
 public:
  using Clock = std::chrono::steady_clock;

  // The step before it has ended, at that moment.
  Trial& begin(std::string_view step, Clock::time_point at = Clock::now());
  // Of the step that has begun last. A name that is there already gets the new value.
  Trial& detail(std::string_view name, Json value);
  // Of a step that has begun before; nothing happens when there was none of that name.
  void detail_of(std::string_view step, std::string_view name, Json value);

  void warn(std::string_view why);  // it works, but
  void fail(std::string_view why);  // the last step, at this moment
  void end();                       // likewise, but well

  bool failed() const;
  bool at(std::string_view step) const;   // is it the last one?
  bool has(std::string_view step) const;  // has it begun?

  // {"success", "duration_ms", "steps": [{"name", "outcome", "reason", "duration_ms", "details"}]}
  Json json() const;

 private:
  struct Step {
    std::string name, outcome, reason;
    Clock::time_point began, ended;
    Json details = Json::object();
  };
  void close(Clock::time_point at);

  std::vector<Step> steps_;
  bool open_ = false;  // is the last one still under way?
};

}  // namespace wazoauth
