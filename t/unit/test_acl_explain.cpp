// The explanation of an access list against its decision: the recorded vectors, and random lists.
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "check.h"
#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/acl/explain.h"
#include "wazoauth/base/json.h"

namespace {

using wazoauth::Json;
using wazoauth::acl::AccessList;
using wazoauth::acl::Decision;
using wazoauth::acl::explain;
using wazoauth::acl::Holder;

std::vector<std::string> texts(const Json& array) {
  std::vector<std::string> result;
  for (const Json& item : array.items()) result.emplace_back(item.text());
  return result;
}

// What it says must be true, beside the verdict: those it names decide by themselves, and without them nothing does.
void holds(const std::vector<std::string>& accesses, const std::string& required, const Holder& holder, bool expected) {
  const Decision decision = explain(accesses, required, holder);
  const std::string what = Json::strings(accesses).dump() + " against " + Json(required).dump();
  if (decision.granted() != expected) check::failed("another verdict: " + what);
  if (decision.deciding().has_value() != (!decision.negated.empty() || !decision.granting.empty()))
    check::failed("who decides: " + what);
  const auto grants = [&](const std::vector<std::string>& list) {
    return AccessList(wazoauth::acl::compile(list)).grants(required, holder);
  };
  std::vector<std::string> without = accesses;
  for (const std::size_t place : decision.granting) {
    if (accesses[place].starts_with('!') || !grants({accesses[place]})) check::failed("grants nothing: " + what);
    without[place] = "!";
  }
  for (const std::size_t place : decision.negated) {
    if (!accesses[place].starts_with('!') || grants({required, accesses[place]}))
      check::failed("denies nothing: " + what);
    without[place] = "!";
  }
  if (required.empty() || required == "\n") return;  // what "!" denies
  if (!explain(without, required, holder).negated.empty() || grants(without)) check::failed("one is missing: " + what);
}

void agrees_for_the_recorded_vectors(void**) {
  std::ifstream file(TEST_DATA "/acl-vectors.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const Json all = Json::parse(text).value();
  check::equal(all.get("vectors").size(), std::size_t{1307});
  for (const Json& vector : all.get("vectors").items()) {
    std::string required = vector.get("required").is_null() ? "" : std::string(vector.get("required").text());
    bool expected = vector.get("expected").boolean();
    if (vector.get("required").is_null()) continue;  // no access is required: nothing decides
    if (vector.get("op").text() == "may_add" && required.starts_with('!')) {
      expected = AccessList(wazoauth::acl::compile(texts(vector.get("acl"))))
                     .grants(required, {vector.get("auth_id").text(), vector.get("session_uuid").text()});
    } else if (vector.get("op").text() == "may_remove" && required.starts_with('!')) {
      required.erase(0, 1);
    }
    holds(texts(vector.get("acl")), required, {vector.get("auth_id").text(), vector.get("session_uuid").text()},
          expected);
  }
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& pieces) {
  std::string text;
  for (unsigned left = random() % 7; left > 0; --left) text += pieces[random() % pieces.size()];
  return text;
}

// Lists of texts that look like accesses, and of any; several with negations, each against several accesses.
void agrees_for_random_lists(void**) {
  const std::vector<std::string> pieces = {"a", "b",  ".", ".", ".a",  "#",          "*",      ".me.", "me",
                                           "!", "\n", "S", "U", "ab.", "my_session", ".edit.", "edit", "update"};
  std::mt19937 random(20261128);
  int granted = 0, negated = 0;
  for (const Holder& holder : {Holder{"U", "S"}, Holder{"a.b", ""}, Holder{"me", "my_session"}}) {
    for (int round = 0; round < 40000; ++round) {
      std::vector<std::string> accesses;
      for (unsigned left = random() % 6; left > 0; --left)
        accesses.push_back((random() % 4 == 0 ? "!" : "") + random_text(random, pieces));
      const std::string required = random_text(random, pieces);
      const bool expected = AccessList(wazoauth::acl::compile(accesses)).grants(required, holder);
      holds(accesses, required, holder, expected);
      granted += expected;
      negated += !explain(accesses, required, holder).negated.empty();
    }
  }
  check::that(granted > 5000 && negated > 2000, "both verdicts are frequent");
}

void the_first_negation_decides_before_any_grant(void**) {
  const Decision decision = explain({"a.#", "!b", "!a.*", "#", "!a.b"}, "a.b", {});
  check::that(decision.negated == std::vector<std::size_t>{2, 4}, "both negations");
  check::that(decision.granting == std::vector<std::size_t>{0, 3}, "both grants");
  check::that(decision.deciding() == 2, "the first negation");
  check::never(explain({"b"}, "a", {}).deciding().has_value(), "nothing matches");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(agrees_for_the_recorded_vectors),
      cmocka_unit_test(agrees_for_random_lists),
      cmocka_unit_test(the_first_negation_decides_before_any_grant),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
