#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/base/mask.h"
#include "wazoauth/gate/forwarded.h"
#include "wazoauth/gate/target.h"
#include "wazoauth/login/throttle.h"

using namespace wazoauth::gate;

namespace {

constexpr const char* token = "11111111-2222-3333-4444-555555555555";
constexpr const char* hidden = "XXXXXXXX-XXXX-XXXX-XXXX-XXXX55555555";

void paths(void**) {
  for (const char* good : {"/", "/users/me", "/a.b/c..d/...", "/a%20b?x=//..%2f", "/users/%C3%A9", "/a/.../b", "/%",
                           "/a;b", "/a;..", "/a%3b/b", "/a;/b?/..;/", "/...;/", "/%3"})
    check::that(unambiguous(good), good);
  for (const char* bad : {"//",     "/a//b",       "/a/../b",         "/a/./b",   "/a/..",
                          "/.",     "/a%2fb",      "/a%2Fb",          "/a%5cb",   "/a%00",
                          "/a\\b",  "/a/%2e%2E/b", "/a/.%2e",         "/a/%2e",   "/users/other%2f..%2fme/x",
                          "/a#b",   "/a/..;/b",    "/a/%2E%2e;x=y/b", "/a/..%3B", "/.;",
                          "/a/;/b", "/;x",         "/a/%3bx",         "/..%3b..", "/a;/.."})
    check::never(unambiguous(bad), bad);
}

void values(void**) {
  std::string access = "confd.";
  assert_true(append_value(access, "a.b"));
  assert_string_equal(access.c_str(), "confd.a_b");
  for (const char* bad : {"", "a#b", "*", "a\nb", "\x7f"}) check::never(append_value(access, bad), bad);
}

void verbs(void**) {
  assert_true(verb("GET") == "read" && verb("HEAD") == "read" && verb("POST") == "create");
  assert_true(verb("PUT") == "update" && verb("PATCH") == "update" && verb("DELETE") == "delete");
  assert_true(verb("OPTIONS").empty() && verb("get").empty());
}

void masks(void**) {
  const std::string t = token, h = hidden;
  const std::vector<std::string> names = {"key"};
  assert_true(mask_tokens("GET /0.1/token/" + t + "/scopes/check HTTP/1.1", {}) ==
              "GET /0.1/token/" + h + "/scopes/check HTTP/1.1");
  assert_true(mask_tokens("GET /x?a=1&token=" + t + "&b=2 HTTP/1.1", {}) == "GET /x?a=1&token=" + h + "&b=2 HTTP/1.1");
  assert_true(mask_tokens("GET /x?key=" + t + " HTTP/1.1", names) == "GET /x?key=" + h + " HTTP/1.1");
  assert_true(mask_tokens("http://a/token//" + t, {}) == "http://a/token//" + h);
  assert_true(mask_tokens("GET /0.1/token/short HTTP/1.1", {}) ==
              "GET /0.1/token/XXXXXXXX-XXXX-XXXX-XXXX-XXXX HTTP/1.1");
  assert_false(mask_tokens("GET /0.1/users/" + t + " HTTP/1.1", names).has_value());
  assert_false(mask_tokens("POST /0.1/token HTTP/1.1", names).has_value());
  assert_false(mask_tokens("GET /tokens?xtoken=1 HTTP/1.1", names).has_value());
  for (const char* before : {"/0.1/tok%65n/", "/0.1%2Ftoken%2f", "/0.1/%74%6F%6b%65%6e//",
                             "/x?tok%65n=", "/x?TOKEN=", "/x?a=%&Key=", "http://a/0.1/token/", "/token/token/"})
    check::that(mask_tokens(before + t + "\"", names) == before + h + "\"", before);
  assert_false(mask_tokens("GET /0.1/token/" + h + " HTTP/1.1", names).has_value());
  assert_false(mask_tokens("GET /0.1/token/XXXXXXXX-XXXX-XXXX-XXXX-XXXX HTTP/1.1", names).has_value());
  for (const char* ends : {"%", "/%2", "/token/", "/token", "?token=", "?token", "&", ""})
    check::never(mask_tokens(ends, names).has_value(), ends);
}

void log_lines(void**) {
  const std::string t = token, h = hidden;
  assert_true(loggable("open() \"/a\n/token/" + t + "\" failed", {}) == "open() \"/a /token/" + h + "\" failed");
  assert_true(loggable("1 client sent invalid header line: \"X_Auth-Token: \"" + t + "\"\", client: 1", {}) ==
              "1 client sent invalid header line: \"X_Auth-Token...\", client: 1");
  assert_true(loggable("client sent too long header line: \"Cookie: a=" + t, {}) ==
              "client sent too long header line: \"Cookie...\"");
  assert_true(loggable("client sent invalid header line: \"", {}) == "client sent invalid header line: \"");
}

void strips(void**) {
  assert_string_equal(strip_parameter("a=1&token=x&b=2", "token").c_str(), "a=1&b=2");
  assert_string_equal(strip_parameter("token=x", "token").c_str(), "");
  assert_string_equal(strip_parameter("tok%65n=x&a", "token").c_str(), "a");
  // The rest goes on as it came.
  for (const char* rest : {"", "&", "a&&b", "&a", "a&", "%", "a=%zz&+"})
    assert_string_equal(strip_parameter(rest, "token").c_str(), rest);
  assert_string_equal(strip_parameter("&a&token=1&&token&", "token").c_str(), "&a&&");
}

void proxies(void**) {
  assert_true(forwarded_value("1.1.1.1, 2.2.2.2", 1) == "2.2.2.2");
  assert_true(forwarded_value("1.1.1.1, 2.2.2.2", 2) == "1.1.1.1");
  assert_false(forwarded_value("1.1.1.1, 2.2.2.2", 3).has_value());
  assert_false(forwarded_value("1.1.1.1", 0).has_value());
  assert_false(forwarded_value(" ", 1).has_value());
}

void addresses(void**) {
  const auto is = [](const char* text, const char* canonical) {
    const auto found = canonical_address(text);
    if (!found || *found != canonical) check::failed(std::string(text) + ": " + found.value_or("nothing"));
  };
  for (const char* text : {"198.51.100.7", " 198.51.100.7\t", "198.51.100.7:50001", "\"198.51.100.7\"",
                           "\" 198.51.100.7:443 \"", "[::ffff:198.51.100.7]:50001", "::ffff:198.51.100.7",
                           "::FFFF:C633:6407", "0:0:0:0:0:ffff:198.51.100.7", "[::ffff:198.51.100.7]"})
    is(text, "198.51.100.7");
  for (const char* text : {"2001:db8::7", "2001:DB8:0:0:0:0:0:7", "[2001:db8::7]", "[2001:db8::7]:50001",
                           "\"[2001:db8::7]:50001\"", "2001:db8::7%eth0", "[2001:db8::7%25eth0]:443"})
    is(text, "2001:db8::7");
  is("fe80::1%lo", "fe80::1");
  is("2001:db8::7:5001", "2001:db8::7:5001");  // no port: that needs brackets
  is("::1", "::1");
  for (const char* text : {"",
                           " ",
                           "unknown",
                           "_hidden",
                           "unix:",
                           "localhost",
                           "198.51.100",
                           "198.51.100.7:",
                           "198.51.100.7:x",
                           "198.51.100.7:123456",
                           "198.51.100.7 198.51.100.8",
                           "198.51.100.256",
                           "[198.51.100.7",
                           "[2001:db8::7",
                           "[2001:db8::7]x",
                           "[2001:db8::7]:",
                           "2001:db8::7]",
                           "2001:db8:::7",
                           "\"198.51.100.7",
                           "198.51.100.7%eth0",
                           "[]",
                           "[]:1",
                           ":",
                           ":1",
                           "%",
                           "\"",
                           "\"\""})
    assert_false(canonical_address(text).has_value());
  assert_false(canonical_address(std::string_view("198.51.100.7\0x", 14)).has_value());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(paths),   cmocka_unit_test(values),    cmocka_unit_test(verbs),
                              cmocka_unit_test(masks),   cmocka_unit_test(log_lines), cmocka_unit_test(strips),
                              cmocka_unit_test(proxies), cmocka_unit_test(addresses)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
