// What users type on its way into filters and names, and how many are let in to a directory.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/base/text.h"
#include "wazoauth/ldap/connection.h"
#include "wazoauth/ldap/directories.h"
#include "wazoauth/ldap/escape.h"
#include "wazoauth/ldap/reason.h"

using wazoauth::ldap::Directories;
using wazoauth::ldap::escape_dn;
using wazoauth::ldap::escape_filter;
using wazoauth::ldap::fill_filter;
using wazoauth::ldap::is_host;
using wazoauth::ldap::reason_of;

namespace {

using check::equal;

using namespace std::string_literals;

void filters_are_escaped(void**) {
  equal(escape_filter("alice"), "alice");
  equal(escape_filter("*)(uid=*"), "\\2a\\29\\28uid=\\2a");
  equal(escape_filter("a\\b"), "a\\5cb");
  equal(escape_filter("a\0b"s), "a\\00b");
  equal(escape_filter("\xc3\xa9 &|!<>=~\n"), "\xc3\xa9 &|!<>=~\n");
  equal(escape_filter(""), "");
}

void names_are_escaped(void**) {
  equal(escape_dn("alice"), "alice");
  equal(escape_dn("a,b+c\"d\\e<f>g;h=i"), "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\=i");
  equal(escape_dn("#1#"), "\\#1#");
  equal(escape_dn(" a b "), "\\ a b\\ ");
  equal(escape_dn(" "), "\\ ");
  equal(escape_dn("  "), "\\ \\ ");
  equal(escape_dn("\0a\0"s), "\\00a\\00");
  equal(escape_dn("\xc3\xa9*()"), "\xc3\xa9*()");
  equal(escape_dn(""), "");
}

void filters_are_filled(void**) {
  const auto fill = [](const std::string& pattern) {
    return fill_filter(pattern, {{"username", "a*"}, {"user_login_attribute", "uid"}}).value_or("refused");
  };
  equal(fill("{user_login_attribute}={username}"), "uid=a\\2a");
  equal(fill("(&(x=y)(uid={username})(mail={username}))"), "(&(x=y)(uid=a\\2a)(mail=a\\2a))");
  equal(fill("{{username}} {{{username}}} }}{{"), "{username} {a\\2a} }{");
  equal(fill(""), "");
  equal(fill("no braces"), "no braces");
  for (const char* wrong :
       {"{", "}", "{}", "{0}", "{other}", "{username", "username}", "{username}}", "{{username}", "{ username}",
        "{username!r}", "{username:>9}", "{username.x}", "{username[0]}", "{{}", "{}}", "{username{}}"})
    equal(fill(wrong), "refused");
}

void cases_are_lowered(void**) {
  equal(wazoauth::lower_case("Alice@EXAMPLE.com"), "alice@example.com");
  equal(wazoauth::lower_case("\xc3\x89RIC \xce\x91\xce\xa3"), "\xc3\xa9ric \xce\xb1\xcf\x82");
  equal(wazoauth::lower_case(""), "");
}

void reasons(void**) {
  const auto ad = [](const std::string& data) {
    return reason_of(
        "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data " + data + ", v4563\0"s,
        "secret");
  };
  equal(ad("775"), "the account is locked (data 775)");
  equal(ad("532"), "the password has expired (data 532)");
  equal(ad("773"), "the password must be changed first (data 773)");
  equal(ad("533"), "the account is disabled (data 533)");
  equal(ad("701"), "the account has expired (data 701)");
  equal(ad("530"), "no logins are permitted at this time (data 530)");
  equal(ad("531"), "no logins are permitted from this computer (data 531)");
  equal(ad("525"), "no such user (data 525)");
  equal(ad("52E"), "wrong password (data 52E)");
  check::that(ad("7751").ends_with("error, data 7751, v4563"), "another number");
  check::that(ad("").ends_with("error, data , v4563"), "no number");
  equal(reason_of("", "secret"), "");
  equal(reason_of(" a\r\nb\x1b[0m\0 "s, "secret"), "a  b [0m");
  equal(reason_of("password secret is wrong", "secret"), "");
  equal(reason_of("a", ""), "a");
  equal(reason_of("\xff", ""), "\xef\xbf\xbd");
  check::that(reason_of(std::string(5000, 'x'), "").size() == 200, "cut");
}

void hosts(void**) {
  for (const char* good : {"a", "ldap.example.org", "127.0.0.1", "::1", "[::1]", "a_b-c.d", "[2001:db8::1]"})
    check::that(is_host(good), good);
  for (const char* bad : {"", "[]", "ldap://a", "a/b", "a b", "a@b", "%2Ftmp", "\xc3\xa9", "a\n", "[::1]:389"})
    check::never(is_host(bad), bad);
}

using Places = std::vector<std::unique_ptr<Directories::Place>>;

std::size_t enter_all(Directories& directories, const std::string& tenant_uuid, Places& places,
                      Directories::Clock::time_point now) {
  std::size_t count = 0;
  while (auto place = directories.enter(tenant_uuid, now)) {
    places.push_back(std::move(place));
    ++count;
  }
  return count;
}

void only_so_many_at_each(void**) {
  Directories directories(5);
  const auto now = Directories::Clock::now();
  Places places;
  assert_int_equal(enter_all(directories, "a", places, now), 5);
  assert_int_equal(enter_all(directories, "b", places, now), 5);
  places.erase(places.begin());
  assert_int_equal(enter_all(directories, "a", places, now), 1);
  assert_int_equal(enter_all(directories, "c", places, now), 5);
}

void fewer_while_it_is_silent(void**) {
  Directories directories(5);
  Places places;
  const auto now = Directories::Clock::now();
  enter_all(directories, "a", places, now);
  check::never(places.front()->answered(true), "all is well as before");
  check::that(places.front()->answered(false), "that is news");
  check::never(places.front()->answered(false), "known already");
  places.clear();
  assert_int_equal(enter_all(directories, "a", places, now), 2);
  assert_int_equal(enter_all(directories, "b", places, now), 5);
  places.clear();
  // It is tried in earnest again after a while, or when it answers.
  assert_int_equal(enter_all(directories, "a", places, now + std::chrono::seconds(90)), 5);
  places.clear();
  assert_int_equal(enter_all(directories, "a", places, now), 2);
  check::that(places.front()->answered(true), "it is back");
  assert_int_equal(enter_all(directories, "a", places, now), 3);
}

void silent_ones_are_forgotten(void**) {
  Directories directories(5);
  const auto now = Directories::Clock::now();
  for (int i = 0; i < 1000; ++i) directories.enter("a" + std::to_string(i), now)->answered(false);
  Places places;
  assert_int_equal(enter_all(directories, "a1", places, now), 2);
  assert_int_equal(enter_all(directories, "a2", places, now + std::chrono::seconds(90)), 5);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(filters_are_escaped),
                              cmocka_unit_test(names_are_escaped),
                              cmocka_unit_test(filters_are_filled),
                              cmocka_unit_test(cases_are_lowered),
                              cmocka_unit_test(reasons),
                              cmocka_unit_test(hosts),
                              cmocka_unit_test(only_so_many_at_each),
                              cmocka_unit_test(fewer_while_it_is_silent),
                              cmocka_unit_test(silent_ones_are_forgotten)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
