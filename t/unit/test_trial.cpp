// The steps of a trial: which one is under way, how each ended, how long each took.
#include "check.h"
#include "wazoauth/base/trial.h"

using namespace wazoauth;

namespace {

using Clock = Trial::Clock;

std::string outcomes(const Trial& trial) {
  std::string all;
  for (const Json& step : trial.json().get("steps").items())
    all += step.text_or("name", "") + "=" + step.text_or("outcome", "") + ":" + step.text_or("reason", "-") + " ";
  return all;
}

void steps(void**) {
  Trial trial;
  const Clock::time_point start = Clock::now();
  trial.begin("look_up", start).detail("host", "a");
  trial.begin("look_up").detail("host", "b");  // the same one still
  trial.begin("connect", start + std::chrono::microseconds(2500)).detail("port", 1);
  assert_true(trial.at("connect") && trial.has("look_up") && !trial.has("tls"));
  trial.detail_of("look_up", "late", true);
  trial.detail_of("tls", "late", true);
  trial.warn("slow");
  assert_false(trial.failed());
  check::that(outcomes(trial) == "look_up=ok:- connect=warning:slow ", outcomes(trial));
  const Json shown = trial.json();
  assert_true(shown.get("success").boolean());
  assert_true(shown.get("steps").at(0).get("duration_ms").number() == 2.5);
  assert_true(shown.get("steps").at(0).get("details") == Json::object({{"host", "b"}, {"late", true}}));
  assert_true(shown.get("steps").at(1).get("details") == Json::object({{"port", 1}}));
}

void failures(void**) {
  Trial trial;
  trial.begin("connect");
  trial.warn("slow");
  trial.fail("gone");
  assert_true(trial.failed());
  check::that(outcomes(trial) == "connect=failed:gone ", outcomes(trial));
  assert_false(trial.json().get("success").boolean());
  trial.end();
  assert_true(trial.failed());
}

// Whoever fails before anything has begun has failed all the same.
void nothing_has_begun(void**) {
  Trial trial;
  trial.detail("lost", 1);
  trial.warn("lost");
  trial.fail("no way");
  assert_true(trial.failed());
  check::that(outcomes(trial) == "begin=failed:no way ", outcomes(trial));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(failures), cmocka_unit_test(nothing_has_begun)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
