// URIs of servers, as RFC 3986 and RabbitMQ's specification have them, and what the log says of a server's trouble.
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/base/amqp_uri.h"
#include "wazoauth/base/server_uri.h"
#include "wazoauth/base/trouble.h"

using namespace wazoauth;

namespace {

void equal(const std::string& got, const std::string& wanted) {
  assert_string_equal(got.c_str(), wanted.c_str());
}

void parts(void**) {
  const ServerUri uri = parse_server_uri("REDIS://a%40b:p%3A%2f%25:@@h.example.:99/x%2Fy/z?n=%26v&m&&o=a=b");
  equal(uri.scheme, "redis");
  equal(*uri.user, "a@b");
  equal(*uri.password, "p:/%:@");
  equal(uri.host, "h.example.");
  assert_int_equal(*uri.port, 99);
  equal(*uri.path, "x/y/z");
  assert_int_equal(uri.query.size(), 3);
  equal(uri.query[0].second, "&v");
  equal(uri.query[1].first, "m");
  equal(uri.query[2].second, "a=b");
}

void little(void**) {
  const ServerUri bare = parse_server_uri("s://h");
  assert_true(!bare.user && !bare.password && !bare.port && !bare.path && bare.query.empty());
  const ServerUri user = parse_server_uri("s://u@h:/");
  assert_true(*user.user == "u" && !user.password && !user.port && user.path->empty());
  assert_true(parse_server_uri("s://:p@h").user->empty());
  equal(*parse_server_uri("s://u:@h").password, "");
  equal(parse_server_uri("s:///x").host, "");
}

void addresses(void**) {
  const ServerUri uri = parse_server_uri("s://u:p@[2001:db8::7]:1/0");
  equal(uri.host, "2001:db8::7");
  assert_int_equal(*uri.port, 1);
  equal(parse_server_uri("s://[::1]").host, "::1");
  equal(parse_server_uri("s://[fe80::1%25eth0]").host, "fe80::1%eth0");
}

void refused(void**) {
  for (const char* bad : {"",           "h",           "://h",         "s://h:x",
                          "s://h:0",    "s://h:65536", "s://h:-1",     "s://u:pa/ss@h",
                          "s://u:p%@h", "s://u:p%4@h", "s://u:p%zz@h", "s://h/%00",
                          "s://::1",    "s://[::1",    "s://[::1]x",   "s://[1.2.3.4]",
                          "s://[h]",    "s://h/a b",   "s://h/#x",     "s://u:p#w@h",
                          "s://h\n"}) {
    try {
      parse_server_uri(bad);
      check::failed(bad);
    } catch (const std::invalid_argument&) {
    }
  }
  try {
    parse_server_uri("s://user:secret/word@h");
    check::failed("a slash in the password");
  } catch (const std::invalid_argument& e) {
    check::that(std::string(e.what()).find("secret") == std::string::npos, e.what());
  }
}

AmqpServer amqp(const std::string& text) {
  const auto servers = parse_amqp_uris(text);
  assert_int_equal(servers.size(), 1);
  return servers[0];
}

// The examples of "AMQP URI Specification", but for its empty virtual host: nobody has one.
void brokers(void**) {
  struct Case {
    const char *uri, *user, *password, *host;
    int port;
    const char* vhost;
  };
  for (const Case& each :
       {Case{"amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"},
        Case{"amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host"},
        Case{"amqp://", "guest", "guest", "localhost", 5672, "/"},
        Case{"amqp://:@/", "guest", "", "localhost", 5672, "/"},
        Case{"amqp://user@", "user", "guest", "localhost", 5672, "/"},
        Case{"amqp://user:pass@", "user", "pass", "localhost", 5672, "/"},
        Case{"amqp://host", "guest", "guest", "host", 5672, "/"},
        Case{"amqp://:10000", "guest", "guest", "localhost", 10000, "/"},
        Case{"amqp:///vhost", "guest", "guest", "localhost", 5672, "vhost"},
        Case{"amqp://host/", "guest", "guest", "host", 5672, "/"},
        Case{"amqp://host/%2f", "guest", "guest", "host", 5672, "/"},
        Case{"amqp://host//", "guest", "guest", "host", 5672, "/"},
        Case{"amqp://host//a/b", "guest", "guest", "host", 5672, "/a/b"},
        Case{"amqp://[::1]", "guest", "guest", "::1", 5672, "/"}, Case{"amqps://h", "guest", "guest", "h", 5671, "/"},
        Case{"pyamqp://h?heartbeat=5&connection_timeout=10", "guest", "guest", "h", 5672, "/"}}) {
    const AmqpServer server = amqp(each.uri);
    equal(server.user, each.user);
    equal(server.password, each.password);
    equal(server.host, each.host);
    assert_int_equal(server.port, each.port);
    equal(server.vhost, each.vhost);
  }
  assert_int_equal(parse_amqp_uris("amqp://a;amqps://b/x;").size(), 2);
  assert_true(parse_amqp_uris("").empty());
}

void certificates(void**) {
  const AmqpServer server = amqp("amqps://h?cacertfile=/etc/a%20b.pem&certfile=/c&keyfile=/k&verify=verify_peer");
  assert_true(server.tls);
  equal(server.ca_file, "/etc/a b.pem");
  equal(server.cert_file + server.key_file, "/c/k");
  equal(amqp("amqps://h?ssl_ca_certs=/a&ssl_cert_reqs=CERT_REQUIRED").ca_file, "/a");
  assert_true(amqp("amqp://h?ssl=true").tls);
  assert_int_equal(amqp("amqp://h?ssl=true").port, 5671);
}

void refused_brokers(void**) {
  for (const char* bad : {"amqp:h", "http://h", "h:5672", "amqp://:x:/", "amqp://h?verify=verify_none",
                          "amqps://h?verfy=x", "amqp://h?cacertfile=/a", "amqps://h?certfile=/c", "amqps://h?ssl=false",
                          "amqps://h?ssl_cert_reqs=CERT_NONE", "amqp://h?auth_mechanism=external", "amqp://a;h"}) {
    try {
      parse_amqp_uris(bad);
      check::failed(bad);
    } catch (const std::invalid_argument&) {
    }
  }
}

std::vector<std::string> lines;

void trouble(void**) {
  log::set_sink([](const log::Line& line) { lines.push_back(line.message); });
  Trouble one(log::Level::warning, "it is back");
  one.over();
  for (int i = 0; i < 100; ++i) {
    one.is("it is away");
    one.is(i % 2 == 0 ? "it is full" : "it is loading");
  }
  assert_true((lines == std::vector<std::string>{"it is away", "it is full", "it is loading"}));
  one.over();
  one.over();
  assert_int_equal(lines.size(), 4);
  equal(lines.back(), "it is back");
  // One that comes and goes isn't told each time, something new is.
  for (int i = 0; i < 100; ++i) {
    one.is("it is away");
    one.over();
  }
  assert_int_equal(lines.size(), 4);
  one.is("it has moved");
  one.over();
  assert_int_equal(lines.size(), 6);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(parts),     cmocka_unit_test(little),
                              cmocka_unit_test(addresses), cmocka_unit_test(refused),
                              cmocka_unit_test(brokers),   cmocka_unit_test(certificates),
                              cmocka_unit_test(trouble),   cmocka_unit_test(refused_brokers)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
