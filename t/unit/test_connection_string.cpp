// What libpq is given of a URL or a conninfo: the administrator's values, and ours where there are none.
#include <stdexcept>
#include <string>

#include "check.h"
#include "wazoauth/store/connection_string.h"

using namespace wazoauth;

namespace {

std::string made_of(const std::string& conninfo, bool prepared = true) {
  DatabaseOptions options;
  options.conninfo = conninfo;
  options.prepared = prepared;
  return connection_string(options);
}

std::string settings_of(const std::string& conninfo, bool prepared = true) {
  DatabaseOptions options;
  options.conninfo = conninfo;
  options.prepared = prepared;
  return session_settings(options);
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

void drivers(void**) {
  assert_string_equal(libpq_uri("postgresql+psycopg2://u:p@h/d").c_str(), "postgresql://u:p@h/d");
  assert_string_equal(libpq_uri("postgres+asyncpg:///d").c_str(), "postgres:///d");
  for (const char* same : {"postgresql://u:a+b@h/d", "postgresql://h/d?application_name=a+b://c", "dbname=d",
                           "host=h password='a+b://c'", ""})
    assert_string_equal(libpq_uri(same).c_str(), same);
}

void values(void**) {
  const std::string text = made_of("postgresql+psycopg2://u:p%27%5C+b%3A%2F%2F@h,i:5433/d?connect_timeout=1");
  for (const char* part : {"user='u'", "password='p\\'\\\\+b://'", "host='h,i'", "dbname='d'", "connect_timeout='1'",
                           "keepalives_idle='10'", "client_encoding='UTF8'"})
    check::that(contains(text, part), part);
  assert_false(contains(text, "options="));  // PgBouncer refuses them
  assert_string_equal(made_of(text).c_str(), text.c_str());
  assert_true(contains(made_of("options='-c statement_timeout=7'"), "options='-c statement_timeout=7'"));
  assert_string_equal(made_of("client_encoding='' connect_timeout=").c_str(), made_of("").c_str());
}

void settings(void**) {
  for (const char* part : {"SET statement_timeout = '10000';SET lock_timeout = '10000';", "SET jit = 'off';",
                           "SET tcp_keepalives_idle = '10';"})
    check::that(contains(settings_of("dbname=d"), part), part);
  // What the conninfo names itself stays.
  const std::string own = settings_of("options='-c statement_timeout=7 -c plan_cache_mode=auto'");
  assert_false(contains(own, "lock_timeout"));
  assert_false(contains(own, "jit"));
  assert_true(contains(own, "tcp_keepalives_idle"));
  assert_string_equal(settings_of("dbname=d", false).c_str(), "");  // they wouldn't stay with us in a pooler
}

void servers(void**) {
  assert_true(contains(made_of("host=a,b dbname=d"), "target_session_attrs='read-write'"));
  assert_true(contains(made_of("postgresql://a,b/d"), "target_session_attrs='read-write'"));
  assert_true(contains(made_of("hostaddr=192.0.2.1,192.0.2.2"), "target_session_attrs='read-write'"));
  assert_true(contains(made_of("host=a,b target_session_attrs=any"), "target_session_attrs='any'"));
  assert_false(contains(made_of("host=a dbname=d"), "target_session_attrs"));
}

void refused(void**) {
  for (const char* bad : {"nonsense=1", "postgresql://h/d?nonsense=1", "dbname='d", "target_session_attrs=standby",
                          "target_session_attrs=prefer-standby", "postgresql://a,b/d?target_session_attrs=read-only"}) {
    try {
      made_of(bad);
      check::failed(bad);
    } catch (const std::runtime_error& e) {
      assert_true(contains(e.what(), "invalid connection string"));
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(drivers), cmocka_unit_test(values), cmocka_unit_test(settings),
                              cmocka_unit_test(servers), cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
