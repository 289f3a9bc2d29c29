// Examples of accesses that patterns match, against the patterns themselves.
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/acl/examples.h"

namespace {

using wazoauth::acl::AccessList;
using wazoauth::acl::example_of_both;
using wazoauth::acl::examples;

bool grants(const std::string& pattern, const std::string& required) {
  return AccessList(wazoauth::acl::compile({pattern})).grants(required, {"me", "my_session"});
}

void a_pattern_matches_its_examples(void**) {
  for (const std::string pattern : {"a.b", "a.*", "#", "a.#.read", "*.me.edit", "foo*.b#r", ""}) {
    const auto all = examples(pattern);
    check::equal(all.size(), pattern.find('#') == std::string::npos ? std::size_t{1} : std::size_t{3});
    for (const std::string& example : all) check::that(grants(pattern, example), pattern);
  }
}

// "#" gives more than "*" does, and each of them more than any word.
void examples_are_what_narrower_patterns_lack(void**) {
  const auto lacks = [](const std::string& narrow, const std::string& wide) {
    for (const std::string& example : examples(wide)) {
      if (!grants(narrow, example)) return true;
    }
    return false;
  };
  check::that(lacks("a.*", "a.#"), "more words");
  check::that(lacks("a.*.*", "a.#"), "fewer words");
  check::that(lacks("a.b", "a.*"), "another word");
  check::never(lacks("a.#", "a.*"), "it has all of it");
  check::never(lacks("#", "a.#.b"), "it has everything");
}

void what_two_have_in_common(void**) {
  const auto common = [](const std::string& a, const std::string& b) {
    const auto one = example_of_both(a, b), other = example_of_both(b, a);
    check::equal(one.has_value(), other.has_value());
    for (const auto& each : {one, other}) {
      if (each) check::that(grants(a, *each) && grants(b, *each), a + " and " + b);
    }
    return one.has_value();
  };
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{{"a.#", "a.b.c"},
                                                                             {"a.*.read", "a.b.#"},
                                                                             {"#.read", "a.#"},
                                                                             {"#.a.#", "b.#.c"},
                                                                             {"x.edit", "x.update"},
                                                                             {"x.b*r", "x.bar"},
                                                                             {"#", "#"},
                                                                             {"*", "#"}})
    check::that(common(a, b), a + " and " + b);
  for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
           {"a.#", "b.#"}, {"a.*", "a.b.c"}, {"a", "a.#"}, {"x.b*r", "x.foo"}, {"#.read", "a.#.write"}})
    check::never(common(a, b), a + " and " + b);
  std::string many;  // each pair of words is tried once, or this would take years
  for (int i = 0; i < 90; ++i) many += "#.";
  check::never(common(many + "read", many + "write"), "many wildcards");
}

// Of whole words none is missed: where a random access matches both, an example is found.
void none_is_missed(void**) {
  const std::vector<std::string> words = {"a", "b", "*", "#", "#"}, plain = {"a", "b", "c"};
  std::mt19937 random(20261129);
  const auto text = [&](const std::vector<std::string>& pieces) {
    std::string all;
    for (unsigned left = 1 + random() % 5; left > 0; --left)
      all += (all.empty() ? "" : ".") + pieces[random() % pieces.size()];
    return all;
  };
  int shared = 0;
  for (int round = 0; round < 40000; ++round) {
    const std::string a = text(words), b = text(words), required = text(plain);
    const bool both = grants(a, required) && grants(b, required);
    shared += both;
    if (both && !example_of_both(a, b)) check::failed(a + " and " + b + " have " + required);
  }
  check::that(shared > 2000, "many have some");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_pattern_matches_its_examples),
      cmocka_unit_test(examples_are_what_narrower_patterns_lack),
      cmocka_unit_test(what_two_have_in_common),
      cmocka_unit_test(none_is_missed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
