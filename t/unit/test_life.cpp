// What the database says of its life.
#include <ios>
#include <string_view>

#include "check.h"
#include "wazoauth/cache/life.h"

using wazoauth::Life;
using wazoauth::parse_life;

namespace {

void has(std::string_view text, const Life& wanted) {
  const Life life = parse_life(text);
  assert_true(life.database == wanted.database);
  assert_true(life.redis == wanted.redis);
}

void numbers_are_read(void**) {
  has("1 2 3", {1, {2, 3}});
  has("-1 -9223372036854775808 9223372036854775807", {~0ULL, {1ULL << 63, ~0ULL >> 1}});
}

void without_a_server_there_is_nothing_in_redis(void**) {
  has("1 2 0", {1, {}});
}

void anything_else_is_no_life(void**) {
  for (const char* text : {"", "1", "1 2", "1 2 ", "1 2 x", " 1 2 3", "1 2 9223372036854775808"}) has(text, {});
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(numbers_are_read),
                              cmocka_unit_test(without_a_server_there_is_nothing_in_redis),
                              cmocka_unit_test(anything_else_is_no_life)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
