// Access lists: the recorded vectors, a comparison with a naive matcher, hostile patterns and hostile blocks.
#include <chrono>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>

#include "check.h"
#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/base/json.h"

namespace {

using wazoauth::Json;
using wazoauth::acl::AccessList;
using wazoauth::acl::Holder;

std::size_t allocations = 0;

Json vectors() {
  std::ifstream file(TEST_DATA "/acl-vectors.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto parsed = Json::parse(text);
  assert_true(parsed.has_value());
  return *parsed;
}

std::vector<std::string> texts(const Json& array) {
  std::vector<std::string> result;
  for (const Json& item : array.items()) result.emplace_back(item.text());
  return result;
}

bool verdict(const Json& vector, const AccessList& list, const Holder& holder) {
  const Json required = vector.get("required");
  const std::string op(vector.get("op").text());
  if (op == "may_add") return wazoauth::acl::may_add(list, required.text(), holder);
  if (op == "may_remove") return wazoauth::acl::may_remove(list, required.text(), holder);
  assert_string_equal(op.c_str(), "matches");
  return list.grants(required.is_null() ? std::nullopt : std::optional(required.text()), holder);
}

void recorded_vectors(void**) {
  const auto all = vectors().get("vectors").items();
  assert_int_equal(all.size(), 1307);
  int wrong = 0;
  for (const Json& vector : all) {
    const std::string block = wazoauth::acl::compile(texts(vector.get("acl")));
    const AccessList list(block);
    assert_true(list.valid());
    const std::string auth_id(vector.get("auth_id").text()), session(vector.get("session_uuid").text());
    if (verdict(vector, list, {auth_id, session}) == vector.get("expected").boolean()) continue;
    print_error("vector %s\n", vector.dump().c_str());
    ++wrong;
  }
  assert_int_equal(wrong, 0);
}

void recorded_templates(void**) {
  const auto all = vectors().get("required_acl_templates").items();
  assert_true(all.size() >= 10);
  for (const Json& vector : all) {
    std::vector<std::pair<std::string, std::string>> parameters;
    for (const auto& [name, value] : vector.get("path_params").members()) parameters.emplace_back(name, value.text());
    const std::string access = wazoauth::acl::fill_template(vector.get("template").text(), parameters);
    assert_string_equal(access.c_str(), std::string(vector.get("expected").text()).c_str());
  }
  assert_string_equal(wazoauth::acl::fill_template("a.{b.{", {}).c_str(), "a.{b.{");
}

// The rules of docs/spec/acl.md section 2 once more, written for shortness: exponential.
class Naive {
 public:
  Naive(std::string pattern, Holder holder) : pattern_(std::move(pattern)), holder_(holder) {}

  bool matches(std::string_view text) const {
    return from(0, text) || (text.ends_with('\n') && from(0, text.substr(0, text.size() - 1)));
  }

 private:
  bool literal(std::string_view word, std::size_t next, std::string_view text) const {
    return text.starts_with(word) && from(next, text.substr(word.size()));
  }

  bool wildcard(char c, std::size_t next, std::string_view text) const {
    for (std::size_t i = 0;; ++i) {
      if (from(next, text.substr(i))) return true;
      if (i == text.size()) return false;
      if (c == '*' ? text[i] == '.' || text[i] == '#' : text[i] == '\n') return false;
    }
  }

  bool from(std::size_t at, std::string_view text) const {
    if (at == pattern_.size()) return text.empty();
    if (at == 0 || pattern_[at - 1] == '.') {
      const std::size_t end = std::min(pattern_.find('.', at), pattern_.size());
      const auto word = pattern_.substr(at, end - at);
      if (word == "me") return literal(word, end, text) || literal(holder_.auth_id, end, text);
      if (word == "my_session") return literal(word, end, text) || literal(holder_.session_uuid, end, text);
      if (word == "edit") return literal(word, end, text) || literal("update", end, text);
    }
    const char c = pattern_[at];
    if (c == '*' || c == '#') return wildcard(c, at + 1, text);
    return literal({&c, 1}, at + 1, text);
  }

  std::string pattern_;
  Holder holder_;
};

std::string random_text(std::mt19937& random, const std::vector<std::string>& pieces) {
  std::string text;
  for (unsigned left = random() % 7; left > 0; --left) text += pieces[random() % pieces.size()];
  return text;
}

void agrees_with_naive_matcher(void**) {
  const std::vector<std::string> pieces = {"a", "b",  ".", ".", ".a",  "#",          "*",      ".me.", "me",
                                           "!", "\n", "S", "U", "ab.", "my_session", ".edit.", "edit", "update"};
  std::mt19937 random(20261124);
  for (const Holder& holder : {Holder{"U", "S"}, Holder{"a.b", ""}}) {
    for (int round = 0; round < 60000; ++round) {
      std::vector<std::string> accesses;
      for (unsigned left = random() % 5; left > 0; --left) accesses.push_back(random_text(random, pieces));
      const std::string required = random_text(random, pieces);
      bool granted = false, denied = false;
      for (const std::string& access : accesses) {
        const bool negative = access.starts_with('!');
        if (Naive(access.substr(negative ? 1 : 0), holder).matches(required)) (negative ? denied : granted) = true;
      }
      const std::string block = wazoauth::acl::compile(accesses);
      if (AccessList(block).grants(required, holder) == (granted && !denied)) continue;
      check::failed(Json::strings(accesses).dump() + " against " + Json(required).dump());
    }
  }
}

void long_texts(void**) {
  for (const std::size_t size : {62, 63, 64, 65, 127, 128, 1000, 1023, 1024, 1025, 70000}) {
    const std::string run(size, 'x');
    const std::string block = wazoauth::acl::compile({"a*.b#c", "!a*.b#.d.#c", run});
    const AccessList list(block);
    assert_true(list.grants("a" + run + ".b" + run + "c", {}));
    assert_true(list.grants("a" + run + ".b" + run + "c\n", {}));
    assert_false(list.grants("a" + run + ".b" + run + "d", {}));
    assert_false(list.grants("a" + run + ".b" + run + ".d." + run + "c", {}));
    assert_false(list.grants("a" + run + "..b" + run + "c", {}));
    assert_false(list.grants("a." + run + "b" + run + "c", {}));
    assert_true(list.grants(run, {}));
    assert_false(list.grants(run + "x", {}));
  }
}

void json_of_the_list(void**) {
  const std::string block = wazoauth::acl::compile({"b", "a", "b", "é\"\\\n"});
  assert_string_equal(std::string(AccessList(block).json()).c_str(), R"(["b", "a", "b", "\u00e9\"\\\n"])");
  assert_string_equal(std::string(AccessList(wazoauth::acl::compile({})).json()).c_str(), "[]");
  assert_string_equal(std::string(AccessList("nonsense").json()).c_str(), "[]");
}

void equal_lists_have_equal_blocks(void**) {
  const std::vector<std::string> accesses = {"confd.users.*.read", "auth.users.me.#", "!auth.#.delete"};
  assert_true(wazoauth::acl::compile(accesses) == wazoauth::acl::compile(accesses));
  assert_false(wazoauth::acl::compile(accesses) == wazoauth::acl::compile({accesses[1], accesses[0], accesses[2]}));
}

double milliseconds(const AccessList& list, const std::string& required) {
  const auto start = std::chrono::steady_clock::now();
  list.grants(required, {"me", "session"});
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::string repeated(const std::string& piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

void hostile_patterns_stay_linear(void**) {
  const std::string dots = repeated("#.", 500) + "x", letters = repeated("#a", 500) + "x";
  const std::string alternating = repeated("#*", 50000) + "x", words = repeated("*#.me#", 300) + "x";
  const std::string block = wazoauth::acl::compile({dots, letters, alternating, words});
  assert_true(milliseconds(AccessList(block), repeated(".", 1000)) < 200);
  assert_true(milliseconds(AccessList(block), repeated("a", 1000)) < 200);
  assert_true(milliseconds(AccessList(block), repeated("a.\n", 330)) < 200);
  assert_true(milliseconds(AccessList(block), repeated(".me", 330)) < 200);
}

void hostile_blocks_are_harmless(void**) {
  const std::string good = wazoauth::acl::compile({"a.b.c", "a.*.c", "!a.#.d", "me.#", "x.edit", "#.y"});
  const Holder holder{"auth", "session"};
  std::mt19937 random(7);
  for (int round = 0; round < 300000; ++round) {
    std::string bad = good;
    for (unsigned left = 1 + random() % 6; left > 0; --left) {
      const std::size_t at = 8 + random() % (bad.size() - 8);
      bad[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    AccessList(bad).grants("a.b.c.d", holder);
    AccessList(bad).json();
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::string part = good.substr(0, size);
    assert_false(AccessList(part).valid());
    assert_false(AccessList(part).grants("a.b.c", holder));
  }
}

void matching_does_not_allocate(void**) {
  const std::string block = wazoauth::acl::compile({"confd.users.*.read", "auth.users.me.#", "#.x", "!y.#"});
  const std::string required = "confd.users." + std::string(1024 - 17, 'x') + ".read";
  assert_int_equal(required.size(), 1024);
  const std::size_t before = allocations;
  const bool granted = AccessList(block).grants(required, {"auth", "session"});
  assert_int_equal(allocations, before);
  assert_true(granted);
}

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(recorded_vectors),
      cmocka_unit_test(recorded_templates),
      cmocka_unit_test(agrees_with_naive_matcher),
      cmocka_unit_test(long_texts),
      cmocka_unit_test(json_of_the_list),
      cmocka_unit_test(equal_lists_have_equal_blocks),
      cmocka_unit_test(hostile_patterns_stay_linear),
      cmocka_unit_test(hostile_blocks_are_harmless),
      cmocka_unit_test(matching_does_not_allocate),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
