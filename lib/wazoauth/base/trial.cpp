#include "wazoauth/base/trial.h"

#include <algorithm>
#include <cmath>

namespace wazoauth {

namespace {

constexpr const char* ok = "ok";
constexpr const char* warning = "warning";
constexpr const char* failure = "failed";

double milliseconds(Trial::Clock::duration time) {
  const double exact = std::chrono::duration<double, std::milli>(time).count();
  return std::round(std::max(0.0, exact) * 1000) / 1000;
}

}  // namespace

void Trial::close(Clock::time_point at) {
  if (open_) steps_.back().ended = std::max(at, steps_.back().began);
  open_ = false;
}

Trial& Trial::begin(std::string_view step, Clock::time_point at) {
  if (open_ && steps_.back().name == step) return *this;
  close(at);
  steps_.push_back({std::string(step), ok, "", at, at});
  open_ = true;
  return *this;
}

Trial& Trial::detail(std::string_view name, Json value) {
  if (!steps_.empty()) steps_.back().details.set(name, std::move(value));
  return *this;
}

void Trial::detail_of(std::string_view step, std::string_view name, Json value) {
  const auto found = std::find_if(steps_.rbegin(), steps_.rend(), [&](const Step& each) { return each.name == step; });
  if (found != steps_.rend()) found->details.set(name, std::move(value));
}

void Trial::warn(std::string_view why) {
  if (steps_.empty()) return;
  steps_.back().outcome = warning;
  steps_.back().reason = why;
}

void Trial::fail(std::string_view why) {
  if (steps_.empty()) begin("begin");  // a failure is never lost
  close(Clock::now());
  steps_.back().outcome = failure;
  steps_.back().reason = why;
}

void Trial::end() {
  close(Clock::now());
}

bool Trial::failed() const {
  return std::any_of(steps_.begin(), steps_.end(), [](const Step& each) { return each.outcome == failure; });
}

bool Trial::at(std::string_view step) const {
  return !steps_.empty() && steps_.back().name == step;
}

bool Trial::has(std::string_view step) const {
  return std::any_of(steps_.begin(), steps_.end(), [&](const Step& each) { return each.name == step; });
}

Json Trial::json() const {
  Json steps = Json::array();
  Clock::duration all{};
  for (const Step& each : steps_) {
    all += each.ended - each.began;
    steps.append(Json::object({{"name", each.name},
                               {"outcome", each.outcome},
                               {"reason", each.reason.empty() ? Json() : Json(each.reason)},
                               {"duration_ms", milliseconds(each.ended - each.began)},
                               {"details", each.details}}));
  }
  return Json::object({{"success", !failed()}, {"duration_ms", milliseconds(all)}, {"steps", std::move(steps)}});
}

}  // namespace wazoauth
