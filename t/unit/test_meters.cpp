// What is measured, in memory that several processes share.
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "wazoauth/base/meters.h"

namespace {

using namespace wazoauth;
using std::chrono::nanoseconds;

void bounds_belong_to_their_bucket(void**) {
  Histogram<RequestTimes> histogram;
  histogram.add(nanoseconds(0));
  histogram.add(nanoseconds(5'000'000));
  histogram.add(nanoseconds(5'000'001));
  histogram.add(nanoseconds(-7));  // a clock of nanoseconds is no reason to lose one
  histogram.add(std::chrono::hours(1));
  assert_int_equal(histogram.count(0), 3);
  assert_int_equal(histogram.count(1), 1);
  assert_int_equal(histogram.count(Histogram<RequestTimes>::buckets - 1), 1);
}

struct Number {
  std::atomic<std::uint64_t> value{0};
};

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  table.each([&](const std::string& name, const Number&) { names.push_back(name); });
  return names;
}

void a_name_has_one_value(void**) {
  const auto table = std::make_unique<MeterTable<Number, 16, 8>>();
  table->at("a").value += 2;
  table->at("b").value += 3;
  table->at("a").value += 5;
  assert_int_equal(table->at("a").value.load(), 7);
  assert_int_equal(names_of(*table).size(), 2);
}

void long_names_are_cut_and_stay_apart(void**) {
  const auto table = std::make_unique<MeterTable<Number, 16, 8>>();
  table->at("0123456789").value = 1;
  table->at("0123456788").value = 2;
  assert_true(names_of(*table) == std::vector<std::string>(2, "0123456"));
}

void names_that_are_too_many_share_one(void**) {
  const auto table = std::make_unique<MeterTable<Number, 4, 8>>();
  for (int i = 0; i < 100; ++i) ++table->at("name" + std::to_string(i)).value;
  assert_int_equal(names_of(*table).size(), 4);
  assert_int_equal(table->other().value.load(), 96);
}

void nothing_is_lost_between_threads(void**) {
  const auto table = std::make_unique<MeterTable<Number, 64, 8>>();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) ++table->at("n" + std::to_string(i % 50)).value;
    });
  for (std::thread& thread : threads) thread.join();
  std::uint64_t sum = 0;
  table->each([&](const std::string&, const Number& number) { sum += number.value; });
  assert_int_equal(sum, 80000);
  assert_int_equal(names_of(*table).size(), 50);
}

void what_waits_grows_older_between_two_looks(void**) {
  const auto meters = std::make_unique<Meters>();
  const BootTime now = BootClock::now();
  meters->outbox_read = now - std::chrono::seconds(10);
  meters->outbox[Meters::bus].oldest_seconds = 5;
  assert_true(meters->oldest_seconds(Meters::bus, now) == 0);
  meters->outbox[Meters::bus].rows = 1;
  assert_true(meters->oldest_seconds(Meters::bus, now) == 15);
}

void domains_are_told_apart(void**) {
  const auto expiries = std::make_unique<Expiries>();
  const std::string label(61, 'a');
  const std::string longest = label + '.' + label + '.' + label + '.' + label + ".example";
  expiries->set({{longest, 1}, {longest.substr(0, 200), 2}});
  std::vector<std::string> names;
  expiries->each([&](const std::string& name, std::int64_t) { names.push_back(name); });
  assert_true(names == std::vector<std::string>({longest, longest.substr(0, 200)}));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(bounds_belong_to_their_bucket),
      cmocka_unit_test(a_name_has_one_value),
      cmocka_unit_test(long_names_are_cut_and_stay_apart),
      cmocka_unit_test(names_that_are_too_many_share_one),
      cmocka_unit_test(nothing_is_lost_between_threads),
      cmocka_unit_test(what_waits_grows_older_between_two_looks),
      cmocka_unit_test(domains_are_told_apart),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
