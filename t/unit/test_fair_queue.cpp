// Who waits in front of a lane, and whose turn it is.
#include "check.h"
#include "wazoauth/rest/fair_queue.h"

using namespace wazoauth;

namespace {

std::string order_of(FairQueue<std::string>& queue) {
  std::string order;
  while (!queue.empty()) order += queue.pop() + ' ';
  return order;
}

void of_one_owner_first_comes_first(void**) {
  FairQueue<std::string> queue;
  for (const char* item : {"a", "b", "c"}) check::that(queue.push(item, 1, 9), item);
  check::equal(queue.size(), 3U);
  check::equal(order_of(queue), "a b c ");
  check::equal(queue.size(), 0U);
}

void owners_take_turns(void**) {
  FairQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3"}) queue.push(item, 1, 9);
  queue.push("b1", 2, 9);
  for (const char* item : {"c1", "c2"}) queue.push(item, 3, 9);
  check::equal(order_of(queue), "a1 b1 c1 a2 c2 a3 ");
}

void a_newcomer_waits_for_one_of_each_other(void**) {
  FairQueue<std::string> queue;
  for (int i = 0; i < 100; ++i) queue.push("a", 1, 100);
  for (int i = 0; i < 3; ++i) check::equal(queue.pop(), "a");
  queue.push("b", 2, 100);
  check::equal(queue.pop(), "a");
  check::equal(queue.pop(), "b");
  check::equal(queue.size(), 96U);
}

void nobody_has_more_than_a_share(void**) {
  FairQueue<std::string> queue;
  check::that(queue.push("a", 1, 2), "the first");
  check::that(queue.push("a", 1, 2), "the second");
  check::never(queue.push("a", 1, 2), "a third");
  check::that(queue.push("b", 2, 2), "another's");
  check::equal(queue.size(), 3U);
  queue.pop();
  check::that(queue.push("a", 1, 2), "again, when one is out");
  queue.clear();
  check::that(queue.empty(), "nothing is left");
  check::that(queue.push("a", 1, 2), "after a clear");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(of_one_owner_first_comes_first),
      cmocka_unit_test(owners_take_turns),
      cmocka_unit_test(a_newcomer_waits_for_one_of_each_other),
      cmocka_unit_test(nobody_has_more_than_a_share),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
