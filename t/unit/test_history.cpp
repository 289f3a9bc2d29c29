// What was counted in the last hour, minute by minute.
#include <memory>

#include "check.h"
#include "wazoauth/base/history.h"
#include "wazoauth/base/iso_time.h"

namespace {

using namespace wazoauth;
using namespace std::chrono_literals;

constexpr BootTime start{90s};

Tally logins(std::uint64_t number) {
  Tally tally;
  tally.numbers[Tally::logins] = number;
  return tally;
}

void a_minute_has_one_sample(void**) {
  const auto history = std::make_unique<History>();
  assert_true(history->is_due(start));
  history->note(start, logins(1));
  assert_false(history->is_due(start + 20s));
  history->note(start + 20s, logins(2));
  assert_true(history->is_due(start + 60s));
  history->note(start + 60s, logins(3));
  const auto samples = history->read(start + 61s);
  assert_int_equal(samples.size(), 2);
  assert_int_equal(samples[0].tally.numbers[Tally::logins], 1);
  assert_int_equal((samples[1].tally - samples[0].tally).numbers[Tally::logins], 2);
  assert_true(samples[1].at == start + 60s);
}

void the_machine_may_have_just_started(void**) {
  const auto history = std::make_unique<History>();
  assert_true(history->is_due(BootTime(1ms)));
  history->note(BootTime(1ms), logins(1));
  assert_int_equal(history->read(BootTime(1s)).size(), 1);
}

void an_hour_is_kept(void**) {
  const auto history = std::make_unique<History>();
  for (int minute = 0; minute < 500; ++minute) history->note(start + minute * 1min, logins(minute));
  const BootTime now = start + 499min;
  const auto samples = history->read(now);
  assert_int_equal(samples.size(), History::minutes + 1);
  for (std::size_t i = 1; i < samples.size(); ++i) assert_true(samples[i].at - samples[i - 1].at == 1min);
  assert_true(samples.back().at == now);
  // A machine that slept, or whose nginx did: what is older isn't of the last hour.
  assert_int_equal(history->read(now + 30min).size(), 31);
  assert_int_equal(history->read(now + 3h).size(), 0);
}

void the_slowest_revocation_is_known_by_its_bound(void**) {
  Histogram<ShortTimes> histogram;
  histogram.add(2ms);
  histogram.add(30ms);
  Tally tally;
  for (std::size_t i = 0; i < Tally::delays; ++i) tally.revocations[i] = histogram.count(i);
  assert_int_equal(tally.revoked(), 2);
  assert_int_equal(tally.slowest_ns(), 50'000'000);
  assert_int_equal((tally - tally).slowest_ns(), 0);
}

void differences_are_never_below_zero(void**) {
  assert_int_equal((logins(1) - logins(5)).numbers[Tally::logins], 0);
}

void times_are_written_as_they_are_read(void**) {
  assert_string_equal(iso_time(1'800'000'000).c_str(), "2027-01-15T08:00:00+00:00");
  assert_true(parse_iso_time(iso_time(1'800'000'000)).has_value());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_minute_has_one_sample),
      cmocka_unit_test(the_machine_may_have_just_started),
      cmocka_unit_test(an_hour_is_kept),
      cmocka_unit_test(the_slowest_revocation_is_known_by_its_bound),
      cmocka_unit_test(differences_are_never_below_zero),
      cmocka_unit_test(times_are_written_as_they_are_read),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
