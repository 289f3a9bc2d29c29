// Which credentials are remembered, for how long, and where.
#include <fstream>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/login/login_memory.h"

using namespace wazoauth;
using namespace std::chrono_literals;

namespace {

const Proof proof{"6fa459ea-ee8a-4ca4-894e-db77e160355e", "secret", "a0b1", "salt"};
const BootTime start{1h};

void what_was_proved_is_known_and_nothing_else(void**) {
  LoginMemory memory(5min);
  check::never(memory.knows(proof, start), "before it was proved");
  memory.remember(proof, start);
  check::that(memory.knows(proof, start), "the same");
  const Proof others[] = {
      {"6fa459ea-ee8a-4ca4-894e-db77e160355f", "secret", "a0b1", "salt"},
      {proof.user_uuid, "Secret", "a0b1", "salt"},
      {proof.user_uuid, "secret", "a0b2", "salt"},
      {proof.user_uuid, "secret", "a0b1", "Salt"},
      {proof.user_uuid, "secreta", "0b1", "salt"},
      {proof.user_uuid, "secret", "a0b1s", "alt"},
      {proof.user_uuid, "", "a0b1", "salt"},
  };
  for (const Proof& other : others) check::never(memory.knows(other, start), other.password);
}

void it_is_forgotten_after_its_time(void**) {
  LoginMemory memory(5min);
  memory.remember(proof, start);
  check::that(memory.knows(proof, start + 5min - 1ms), "until then");
  check::never(memory.knows(proof, start + 5min), "from then on");
  memory.remember(proof, start + 6min);
  check::that(memory.knows(proof, start + 10min), "proved again");
}

// Asking doesn't prolong it: who logs in every minute is hashed every five.
void what_is_asked_for_ends_all_the_same(void**) {
  LoginMemory memory(5min);
  memory.remember(proof, start);
  for (auto time = 1min; time < 5min; time += 1min) check::that(memory.knows(proof, start + time), "within its time");
  check::never(memory.knows(proof, start + 5min), "after it");
}

void without_time_nothing_is_remembered(void**) {
  LoginMemory memory(0min);
  memory.remember(proof, start);
  check::never(memory.knows(proof, start), "although it is off");
}

void each_memory_has_a_key_of_its_own(void**) {
  LoginMemory one(5min), other(5min);
  one.remember(proof, start);
  check::never(other.knows(proof, start), "another's");
}

void the_oldest_leave(void**) {
  LoginMemory memory(5min);
  std::vector<std::string> passwords;
  for (std::size_t i = 0; i < 2 * LoginMemory::most; ++i) passwords.push_back(std::to_string(i));
  std::size_t turn = 0;
  for (const std::string& each : passwords)
    memory.remember({proof.user_uuid, each, "a0b1", "salt"}, start + std::chrono::milliseconds(turn++));
  std::size_t known = 0;
  for (const std::string& each : passwords)
    known += memory.knows({proof.user_uuid, each, "a0b1", "salt"}, start + 1min);
  check::that(known > LoginMemory::most * 8 / 10 && known <= LoginMemory::most, "as many as it has room for");
  check::that(memory.knows({proof.user_uuid, passwords.back(), "a0b1", "salt"}, start + 1min), "the last one");
}

// Locked ("lo") and in no core dump ("dd"), as the kernel has it.
std::size_t guarded_areas() {
  std::ifstream maps("/proc/self/smaps");
  std::size_t number = 0;
  for (std::string line; std::getline(maps, line);)
    number += line.starts_with("VmFlags:") && line.find(" lo") != line.npos && line.find(" dd") != line.npos;
  return number;
}

void it_lies_in_locked_memory(void**) {
  check::equal(guarded_areas(), 0U);
  {
    const LoginMemory memory(5min);
    check::equal(guarded_areas(), 1U);
  }
  check::equal(guarded_areas(), 0U);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_was_proved_is_known_and_nothing_else),
      cmocka_unit_test(it_is_forgotten_after_its_time),
      cmocka_unit_test(what_is_asked_for_ends_all_the_same),
      cmocka_unit_test(without_time_nothing_is_remembered),
      cmocka_unit_test(each_memory_has_a_key_of_its_own),
      cmocka_unit_test(the_oldest_leave),
      cmocka_unit_test(it_lies_in_locked_memory),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
