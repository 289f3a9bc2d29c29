// Prefixes of addresses, the list of those that are locked, and times.
#include <mutex>

#include "check.h"
#include "wazoauth/base/ip_prefix.h"
#include "wazoauth/base/iso_time.h"
#include "wazoauth/cache/address_locks.h"

using namespace wazoauth;
using check::equal;

namespace {

bool holds(const char* prefix, const char* address) {
  return parse_prefix(prefix)->contains(*parse_address(address));
}

void prefixes(void**) {
  const auto canonical = [](const char* text) {
    const auto prefix = parse_prefix(text);
    return prefix ? prefix->text() : "none";
  };
  equal(canonical("192.0.2.0/24"), "192.0.2.0/24");
  equal(canonical("192.0.2.9"), "192.0.2.9/32");
  equal(canonical("0.0.0.0/0"), "0.0.0.0/0");
  equal(canonical("2001:DB8:0:0::/32"), "2001:db8::/32");
  equal(canonical("::1"), "::1/128");
  equal(canonical("::ffff:192.0.2.0/120"), "192.0.2.0/24");
  for (const char* wrong : {"", "/", "192.0.2.0/", "/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+1",
                            "192.0.2.0/2 ", "192.0.2.1/24", "192.0.2.128/24", "::1/64", "2001:db8::/129", "192.0.2/24",
                            "a/8", "192.0.2.0/24/24", "fe80::1%eth0/128", "192.0.2.0/255.255.255.0"})
    equal(canonical(wrong), "none");
}

void a_prefix_holds_its_addresses(void**) {
  check::that(holds("192.0.2.0/24", "192.0.2.255") && holds("192.0.2.0/25", "192.0.2.127"), "inside");
  check::never(holds("192.0.2.0/25", "192.0.2.128") || holds("192.0.2.0/24", "192.0.3.0"), "outside");
  check::that(holds("192.0.2.0/24", "::ffff:192.0.2.1"), "IPv4 inside of IPv6");
  check::that(holds("2001:db8:8000::/33", "2001:db8:ffff::1"), "33 bits");
  check::never(holds("2001:db8:8000::/33", "2001:db8:7fff::1"), "33 bits, other half");
  check::that(holds("0.0.0.0/0", "255.1.2.3") && holds("::/0", "2001:db8::1"), "everything");
  check::never(holds("::/0", "192.0.2.1") || holds("0.0.0.0/0", "::1"), "the other family");
}

class Lock : public ZoneLock {
 public:
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

struct Memory {
  Memory() : words(AddressLocks::size() / 8 + 1) { AddressLocks::format(words.data()); }
  std::vector<std::uint64_t> words;
  Lock lock;
};

AddressLockList list(std::uint64_t generation, std::initializer_list<const char*> prefixes, std::int64_t ends_t = 0) {
  AddressLockList made{generation, {}};
  for (const char* prefix : prefixes) made.locks.push_back({*parse_prefix(prefix), "tenant", false, ends_t});
  return made;
}

void all_processes_see_the_newest_list(void**) {
  Memory memory;
  AddressLocks writer(memory.words.data(), memory.lock), reader(memory.words.data(), memory.lock);
  check::never(reader.known(), "nothing was read yet");
  writer.replace(list(7, {"192.0.2.0/24", "192.0.2.0/28", "2001:db8::/32"}));
  check::that(reader.known() && reader.count() == 3, "three");
  equal(reader.holding("192.0.2.1", 100).size(), std::size_t{2});
  equal(reader.holding("2001:db8::9", 100).size(), std::size_t{1});
  equal(reader.holding("198.51.100.1", 100).size(), std::size_t{0});
  equal(reader.holding("unix:", 100).size(), std::size_t{0});
  writer.replace(list(6, {}));
  equal(reader.holding("192.0.2.1", 100).size(), std::size_t{2});
  writer.replace(list(8, {"198.51.100.0/24"}, 200));
  equal(reader.holding("192.0.2.1", 100).size(), std::size_t{0});
  equal(reader.holding("198.51.100.1", 199).size(), std::size_t{1});
  equal(reader.holding("198.51.100.1", 200).size(), std::size_t{0});
  writer.replace(list(1, {}), true);
  equal(reader.count(), std::uint32_t{0});
}

void a_list_as_postgresql_tells_it(void**) {
  const AddressLockList read =
      parse_address_locks(R"({"generation" : 3, "locks" : [["192.0.2.0/24", "t", true, 0], ["x", "t", false, 5]]})");
  equal(read.generation, std::uint64_t{3});
  equal(read.locks.size(), std::size_t{1});
  check::that(read.locks[0].everywhere && read.locks[0].tenant_uuid == "t", "as it is");
  check::never(Json::parse("").has_value(), "no text is no list");
}

void times(void**) {
  const auto seconds = [](const char* text) { return parse_iso_time(text).value_or(-1); };
  equal(seconds("1970-01-02T00:00:01Z"), std::int64_t{86401});
  equal(seconds("2026-11-28T23:10:00+01:00"), seconds("2026-11-28T22:10:00Z"));
  equal(seconds("2026-11-28T23:10:00.999999-0130"), seconds("2026-11-29 00:40"));
  equal(seconds("2024-02-29T00:00:00"), std::int64_t{1709164800});
  for (const char* wrong :
       {"", "2026-11-28", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-28T24:00:00Z",
        "2026-11-28T00:60:00Z", "2026-11-28T00:00:60Z", "2026-11-28T00:00:00.Z", "2026-11-28T00:00:00ZZ",
        "2026-11-28T00:00:00+1", "2026-11-28T00:00:00+25:00", "infinity", "now", "26-11-28T00:00:00Z"})
    equal(seconds(wrong), std::int64_t{-1});
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(prefixes),
      cmocka_unit_test(a_prefix_holds_its_addresses),
      cmocka_unit_test(all_processes_see_the_newest_list),
      cmocka_unit_test(a_list_as_postgresql_tells_it),
      cmocka_unit_test(times),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
