// JSON values: what is read, what is written, and how values behave.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "check.h"
#include "wazoauth/base/json.h"
#include "wazoauth/base/json_text.h"

using namespace wazoauth;
using namespace std::string_literals;

namespace {

std::string round_trip(const std::string& text) {
  const auto value = Json::parse(text);
  return value ? value->dump() : "(refused)";
}

void expect(const std::string& text, const std::string& dumped) {
  assert_string_equal(round_trip(text).c_str(), dumped.c_str());
}

void refuse(const std::string& text) {
  expect(text, "(refused)");
}

void test_wire_form(void**) {
  expect("null", "null");
  expect(" [1,2 ,\t-3]\r\n", "[1, 2, -3]");
  expect("{\"b\":true,\"a\":{\"x\":[]},\"e\":{}}", "{\"b\": true, \"a\": {\"x\": []}, \"e\": {}}");
  expect("\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\\u00e9\\ud83d\\ude00\"");
  expect("\"a/b\\/\\b\\f\\n\\r\\t\\\"\\\\ \x7f\\u0001\"", "\"a/b/\\b\\f\\n\\r\\t\\\"\\\\ \\u007f\\u0001\"");
  expect("\"\\ud83d\\uDE00\"", "\"\\ud83d\\ude00\"");
  expect("\"a\\u0000b\"", "\"a\\u0000b\"");
  expect("{\"a\\u0000b\": 1, \"a\": 2}", "{\"a\\u0000b\": 1, \"a\": 2}");
  expect("{\"a\": 1, \"b\": 2, \"a\": 3}", "{\"a\": 3, \"b\": 2}");
}

void test_numbers(void**) {
  expect("9223372036854775807", "9223372036854775807");
  expect("-9223372036854775808", "-9223372036854775808");
  for (const std::string& digits : {"9223372036854775808"s, "-9223372036854775809"s, std::string(4300, '9')}) {
    expect(digits, digits);
    assert_true(Json::parse(digits)->is_real() && Json::parse(digits)->is_finite() && !Json::parse(digits)->is_falsy());
    assert_true(*Json::parse(digits) == *Json::parse(digits));
  }
  assert_true(Json::parse("-9223372036854775809")->number() == -0x1p63);
  assert_true(*Json::parse("9223372036854775808") != *Json::parse("9223372036854775809"));
  refuse("-" + std::string(4301, '9'));
  expect("-0", "0");
  expect("1.0", "1.0");
  expect("-0.0", "-0.0");
  expect("1E2", "100.0");
  expect("0.1", "0.1");
  expect("1537988.4506849", "1537988.4506849");
  expect("0.0001", "0.0001");
  expect("0.00001", "1e-05");
  expect("9999999999999998.0", "9999999999999998.0");
  expect("1e16", "1e+16");
  expect("1.5e300", "1.5e+300");
  expect("1e-400", "0.0");
  for (const char* text : {"Infinity", "1e400"}) check::that(Json::parse(text)->number() == HUGE_VAL, text);
  for (const char* text : {"-Infinity", "-1e400"}) check::that(Json::parse(text)->number() == -HUGE_VAL, text);
  assert_true(std::isnan(Json::parse("NaN")->number()));
  for (const char* text : {"NaN", "[1, [Infinity]]", "{\"a\": {\"b\": -1e400}}"})
    check::that(!Json::parse(text)->is_finite(), text);
  for (const char* text : {"1e308", "[1, [\"NaN\", null]]", "{}"}) check::that(Json::parse(text)->is_finite(), text);
  expect("[NaN, -Infinity, 1e400]", "[null, null, null]");
  for (const char* text : {"01", "1.", ".5", "+1", "-", "1e", "1e+", "--1", "0x1", "nan", "-NaN"}) refuse(text);
  assert_true(Json(std::nan("")).is_null());
  assert_true(Json(HUGE_VAL).is_null());
}

void test_refused(void**) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "[1 2]",
                           "1 2",
                           "tru",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\u-123\"",
                           "\"\n\"",
                           "'a'",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\xff\"",
                           "\"\xed\xa0\x80\"",
                           "{\"a\"}",
                           "{\"a\":}",
                           "[1}"}) {
    refuse(text);
  }
  refuse("\0"s);
  refuse("1\0\0"s);
}

void test_encodings(void**) {
  const std::string wire = "\"\\u00e9\\ud83d\\ude00\"";
  expect("\xef\xbb\xbf\"\xc3\xa9\xf0\x9f\x98\x80\"", wire);
  expect("\xff\xfe\"\0\xe9\0\x3d\xd8\x00\xde\"\0"s, wire);
  expect("\"\0\xe9\0\x3d\xd8\x00\xde\"\0"s, wire);
  expect("\xfe\xff\0\"\0\xe9\xd8\x3d\xde\x00\0\""s, wire);
  expect("\0\"\0\xe9\xd8\x3d\xde\x00\0\""s, wire);
  expect("\xff\xfe\0\0\"\0\0\0\xe9\0\0\0\x00\xf6\x01\0\"\0\0\0"s, wire);
  expect("\"\0\0\0\xe9\0\0\0\x00\xf6\x01\0\"\0\0\0"s, wire);
  expect("\0\0\xfe\xff\0\0\0\"\0\0\0\xe9\0\x01\xf6\x00\0\0\0\""s, wire);
  expect("\0\0\0\"\0\0\0\xe9\0\x01\xf6\x00\0\0\0\""s, wire);
  expect("1\0"s, "1");
  expect("\0001"s, "1");
  refuse("\xff\xfe\"\0\x3d\xd8\"\0"s);
  refuse("\xff\xfe\"\0\x00\xde\"\0"s);
  refuse("\xff\xfe\"\0\""s);
  refuse("\0\0\xfe\xff\0\x11\0\0"s);
  refuse("\0\0\xfe\xff\0\0"s);
}

void test_depth(void**) {
  expect(std::string(950, '[') + std::string(950, ']'), std::string(950, '[') + std::string(950, ']'));
  refuse(std::string(951, '[') + std::string(951, ']'));
  refuse(std::string(1000000, '['));
  std::string objects;
  for (int i = 0; i < 949; ++i) objects += "{\"a\": ";
  objects += "[]" + std::string(949, '}');
  Json deep = *Json::parse(objects);
  const Json copy = deep;
  assert_true(copy == deep);
  deep = Json();
  assert_string_equal(copy.dump().c_str(), objects.c_str());
}

void test_reading(void**) {
  const auto value = *Json::parse("{\"s\": \"x\", \"i\": 1, \"r\": 1.5, \"b\": true, \"l\": [1, \"a\"], \"n\": null}");
  assert_true(value.get("s").text() == "x");
  assert_int_equal(value.get("i").integer(), 1);
  assert_true(value.get("r").number() == 1.5 && value.get("i").number() == 1);
  assert_true(value.get("b").boolean());
  assert_int_equal(value.size(), 6);
  assert_int_equal(value.get("l").size(), 2);
  assert_true(value.get("l").at(1).text() == "a" && value.get("l").at(2).is_null() && value.at(0).is_null());
  assert_true(value.has("n") && !value.has("x") && !value.get("s").has("x") && value.get("x").is_null());
  assert_string_equal(value.text_or("s", "y").c_str(), "x");
  assert_string_equal(value.text_or("i", "y").c_str(), "y");
  assert_string_equal(value.members()[2].first.c_str(), "r");
  assert_int_equal(value.get("l").items().size(), 2);
  bool thrown = false;
  try {
    value.get("i").text();
  } catch (const std::logic_error&) {
    thrown = true;
  }
  assert_true(thrown);
  for (const char* text : {"null", "false", "0", "0.0", "\"\"", "[]", "{}"}) assert_true(Json::parse(text)->is_falsy());
  for (const char* text : {"true", "1", "\"0\"", "[0]", "{\"a\": 0}"}) assert_false(Json::parse(text)->is_falsy());
}

void test_building(void**) {
  Json value = Json::object({{"a", 1}, {"b", "x"}, {"c", Json::array({true, nullptr, 2.0})}});
  value.set("a", Json::strings({"p", "q"})).set("d", std::optional<std::string>());
  value.erase("b");
  value.erase("not there");
  assert_string_equal(value.dump().c_str(), R"({"a": ["p", "q"], "c": [true, null, 2.0], "d": null})");
  value.set("b", "back").set("c", 3);  // what went comes back at the end; what is there keeps its place
  assert_string_equal(value.dump().c_str(), R"({"a": ["p", "q"], "c": 3, "d": null, "b": "back"})");
  assert_string_equal(Json(std::string("a\xff\0b", 4)).dump().c_str(), "\"a\\ufffd\\u0000b\"");
  Json object = Json::object();
  object.set("\xff", 1);
  assert_string_equal(object.dump().c_str(), "{\"\\ufffd\": 1}");
  object.set("\xfe", 2);
  assert_string_equal(object.dump().c_str(), "{\"\\ufffd\": 2}");
  assert_string_equal(Json::object({{"a", 1}, {"\xff", 2}, {"a", 3}, {"\xfe", 4}}).dump().c_str(),
                      "{\"a\": 3, \"\\ufffd\": 4}");
  for (Json wrong : {Json(1), Json("x"), Json()}) {
    bool set = true, appended = true;
    try {
      wrong.set("a", 1);
    } catch (const std::logic_error&) {
      set = false;
    }
    try {
      wrong.append(1);
    } catch (const std::logic_error&) {
      appended = false;
    }
    wrong.erase("a");
    assert_true(!set && !appended);
  }
}

void test_copies(void**) {
  const std::string text = R"({"list": [1, {"deep": "x"}], "n": 1})";
  Json value = *Json::parse(text);
  const Json copy = value;
  Json list = value.get("list");
  Json assigned;
  assigned = value;
  value.set("n", 2).set("new", true).erase("list");
  list.append("more");
  assigned.set("n", 3);
  assert_string_equal(copy.dump().c_str(), text.c_str());
  assert_string_equal(value.dump().c_str(), R"({"n": 2, "new": true})");
  assert_string_equal(list.dump().c_str(), R"([1, {"deep": "x"}, "more"])");
  assert_string_equal(assigned.dump().c_str(), R"({"list": [1, {"deep": "x"}], "n": 3})");
  Json part = copy;
  part.set("list", part.get("list").at(1)).set("self", part);
  assert_string_equal(part.dump().c_str(),
                      R"({"list": {"deep": "x"}, "n": 1, "self": {"list": {"deep": "x"}, "n": 1}})");
  Json items = Json::array({1});
  items.append(items).append(items);
  assert_string_equal(items.dump().c_str(), "[1, [1], [1, [1]]]");
}

// Parts of a value that is about to go.
void test_parts_of_temporaries(void**) {
  const auto made = [] {
    return *Json::parse(R"({"a": ["a text too long to be kept inside of a string", {"b": 1}]})");
  };
  const Json& list = made().get("a");
  const Json& first = made().get("a").at(0);
  const auto text = made().get("a").at(0).text();
  std::size_t count = 0;
  for (const Json& item : made().get("a").items()) count += item.is_null() ? 0 : 1;
  for (const auto& [name, member] : made().get("a").at(1).members()) count += name == "b" && member.integer() == 1;
  assert_int_equal(list.size(), 2);
  assert_true(first.text() == "a text too long to be kept inside of a string" && first.text() == text);
  assert_int_equal(count, 3);
  assert_true(made().get("x").is_null() && made().get("a").at(2).is_null() && made().at(0).is_null());
  assert_true(made().items().empty() && made().get("a").members().empty());
}

void test_equality(void**) {
  const auto equal = [](const char* a, const char* b) { return *Json::parse(a) == *Json::parse(b); };
  for (const char* same :
       {"null", "true", "1", "1.5", "\"a\"", "[1, [2]]", R"({"a": {"b": []}})", R"({"a\u0000b": 1})"})
    assert_true(equal(same, same));
  assert_true(equal(R"({"a": 1, "b": {"c": 2, "d": 3}})", R"({"b": {"d": 3, "c": 2}, "a": 1})"));
  assert_true(equal("0.0", "-0.0"));
  assert_false(equal("1", "1.0"));
  assert_false(equal("0", "false"));
  assert_false(equal("null", "false"));
  assert_false(equal("true", "false"));
  assert_false(equal("\"a\"", "\"a\\u0000\""));
  assert_false(equal("[]", "{}"));
  assert_false(equal("[1, 2]", "[2, 1]"));
  assert_false(equal("[1, 2]", "[1]"));
  assert_false(equal(R"({"a": 1})", R"({"a": 1, "b": null})"));
  assert_false(equal(R"({"a": 1, "b": null})", R"({"a": 1})"));
  assert_false(equal(R"({"a": null})", R"({"b": null})"));
  assert_false(equal(R"({"a": 1})", R"({"a": 2})"));
}

// As many members as a client can send. Were each name compared with all others, this would take minutes.
void test_many_members(void**) {
  std::string text = "{";
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) text += "\"" + std::to_string(i) + "\": 0, ";
  text += "\"7\": 1, \"last\": 2, \"7\": 3}";
  const Json value = *Json::parse(text);
  assert_int_equal(value.size(), count + 1);
  assert_int_equal(value.get("7").integer(), 3);
  assert_string_equal(value.members()[7].first.c_str(), "7");
  assert_string_equal(value.members()[count].first.c_str(), "last");
}

// What PostgreSQL writes, as it goes over the wire.
void text_of_postgresql(void**) {
  const auto written = [](std::string_view json) {
    std::string out = "|";
    append_json_text(out, json);
    return out;
  };
  assert_string_equal(written("[]").c_str(), "|[]");
  assert_string_equal(written("[{\"a\" : 1, \"b\":true},\n null]").c_str(), R"(|[{"a": 1, "b": true}, null])");
  assert_string_equal(written(R"(["x, y: z\" \\\\", "é", "\n"])").c_str(), R"(|["x, y: z\" \\\\", "\u00e9", "\n"])");
  assert_string_equal(written(R"({"😀":""})").c_str(), R"(|{"\ud83d\ude00": ""})");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(text_of_postgresql), cmocka_unit_test(test_wire_form),
      cmocka_unit_test(test_numbers),       cmocka_unit_test(test_refused),
      cmocka_unit_test(test_encodings),     cmocka_unit_test(test_depth),
      cmocka_unit_test(test_reading),       cmocka_unit_test(test_building),
      cmocka_unit_test(test_copies),        cmocka_unit_test(test_parts_of_temporaries),
      cmocka_unit_test(test_equality),      cmocka_unit_test(test_many_members),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
