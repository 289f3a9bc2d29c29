// Which addresses nobody may send this server to, in whatever spelling.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "check.h"
#include "listener.h"
#include "wazoauth/outgoing/connect.h"
#include "wazoauth/outgoing/form_post.h"
#include "wazoauth/outgoing/web_socket_url.h"
#include "wazoauth/outgoing/web_sockets.h"

using wazoauth::Address;
using wazoauth::Deadline;
using wazoauth::denied;
using wazoauth::look_up;
using wazoauth::OutgoingRules;

namespace {

using check::equal;

using std::chrono::milliseconds;

constexpr OutgoingRules lenient{.loopback = true}, strict{.loopback = false};

std::string verdict(const std::string& host, const OutgoingRules& rules = lenient) {
  std::string found;
  for (const Address& address : look_up(host, 389, Deadline(milliseconds(5000)))) {
    const std::string_view what = denied(address.get(), rules);
    if (!what.empty()) found = what;
  }
  return found;
}

void denied_always(void**) {
  for (const char* host : {"169.254.0.0",
                           "169.254.169.254",
                           "169.254.255.255",
                           "0xa9fea9fe",
                           "0xA9.0xFE.0xa9.0xfe",
                           "2852039166",
                           "025177524776",
                           "169.254.43518",
                           "::ffff:169.254.169.254",
                           "::ffff:a9fe:a9fe",
                           "::a9fe:a9fe",
                           "0:0:0:0:0:ffff:a9fe:a9fe",
                           "::ffff:0:169.254.169.254",
                           "64:ff9b::169.254.169.254",
                           "2002:a9fe:a9fe::1",
                           "2001::5601:5601",
                           "fe80::1",
                           "fe80::a9fe:a9fe",
                           "febf:ffff::1",
                           "fe80::1%1"})
    equal(verdict(host), "link-local");
  for (const char* host : {"100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:0ec2:0:0::23",
                           "fd20:ce::254", "fd00:42::42", "::ffff:100.100.100.200", "64:ff9b::6464:64c8"})
    equal(verdict(host), "metadata service");
  for (const char* host :
       {"0.0.0.0", "0", "0.0.0.1", "0.255.255.255", "::", "::ffff:0.0.0.0", "64:ff9b::", "0::0", "::2"})
    equal(verdict(host), "unspecified");
  for (const char* host : {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "::ffff:224.0.0.1", "2002:e000:1::"})
    equal(verdict(host), "multicast");
  for (const char* host : {"255.255.255.255", "240.0.0.1", "4294967295", "::ffff:255.255.255.255"})
    equal(verdict(host), "broadcast");
  assert_true(verdict("64:ff9b:1::a9fe:a9fe").starts_with("behind a NAT64"));
}

void loopback_is_a_choice(void**) {
  for (const char* host :
       {"127.0.0.1", "127.255.255.254", "127.1", "2130706433", "0x7f000001", "017700000001", "localhost", "::1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "2001::80ff:fffe"}) {
    equal(verdict(host, lenient), "");
    equal(verdict(host, strict), "loopback");
  }
}

void allowed(void**) {
  for (const char* host : {"192.0.2.1",
                           "10.0.0.1",
                           "172.16.0.1",
                           "192.168.1.1",
                           "169.253.255.255",
                           "169.255.0.0",
                           "126.255.255.255",
                           "128.0.0.1",
                           "223.255.255.255",
                           "1.0.0.0",
                           "100.100.100.199",
                           "100.64.0.1",
                           "2001:db8::1",
                           "fec0::1",
                           "fe7f::1",
                           "fd00::1",
                           "fd00:ec3::254",
                           "::ffff:192.0.2.1",
                           "64:ff9b::192.0.2.1",
                           "2002:c000:201::1"})
    equal(verdict(host, strict), "");
}

void only_the_internet(void**) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  assert_false(denied(reinterpret_cast<const sockaddr*>(&local), lenient).empty());
}

bool has_client(const Listener& listener) {
  return wazoauth::wait_for(listener.fd, POLLIN, Deadline(milliseconds(50)));
}

bool reaches(const std::string& host, int port, const OutgoingRules& rules) {
  try {
    return wazoauth::connect_to(host, port, rules, milliseconds(500), Deadline(milliseconds(1000))).get() != -1;
  } catch (const wazoauth::Unreachable& e) {
    assert_true(std::string(e.what()).starts_with(host));
    return false;
  }
}

void connections(void**) {
  Listener listener;
  assert_true(reaches("127.0.0.1", listener.port, lenient));
  assert_true(has_client(listener));
  const Listener other;
  assert_false(reaches("127.0.0.1", other.port, strict));
  assert_false(reaches("localhost", other.port, strict));
  assert_false(reaches("0.0.0.0", other.port, lenient));
  assert_false(has_client(other));
  assert_false(reaches("no-such-host.invalid", 1, lenient));
  assert_false(reaches("127.0.0.1", 1, lenient));
}

void a_limit_that_has_passed(void**) {
  bool thrown = false;
  try {
    wazoauth::connect_to("no-such-host.invalid", 1, lenient, milliseconds(0), Deadline(milliseconds(0)));
  } catch (const wazoauth::Unreachable&) {
    thrown = true;
  }
  assert_true(thrown);
}

std::string form_error(const std::string& url, const OutgoingRules& rules) {
  try {
    wazoauth::post_form({.url = url, .timeout = milliseconds(500), .plain = true, .rules = rules});
    return "";
  } catch (const wazoauth::OutgoingError& e) {
    return e.what();
  }
}

void forms(void**) {
  const std::string denied_is = "its host is denied: ";
  equal(form_error("http://169.254.169.254/token", lenient), denied_is + "169.254.169.254 is link-local");
  equal(form_error("http://0xa9fea9fe/", lenient), denied_is + "169.254.169.254 is link-local");
  equal(form_error("http://[::ffff:169.254.169.254]/", lenient), denied_is + "::ffff:169.254.169.254 is link-local");
  equal(form_error("https://100.100.100.200/", lenient), denied_is + "100.100.100.200 is metadata service");
  const Listener listener;
  const std::string port = ":" + std::to_string(listener.port) + "/";
  equal(form_error("http://127.0.0.1" + port, strict), denied_is + "127.0.0.1 is loopback");
  assert_true(form_error("http://localhost" + port, strict).ends_with(" is loopback"));
  assert_false(has_client(listener));
  assert_true(form_error("http://127.0.0.1" + port, lenient).find("denied") == std::string::npos);
  assert_true(has_client(listener));
  assert_true(form_error("http://127.0.0.1:1/", lenient).find("denied") == std::string::npos);
}

std::string socket_error(const std::string& url, const OutgoingRules& rules) {
  std::promise<std::string> closed;
  auto why = closed.get_future();
  wazoauth::WebSockets sockets(
      {.timeout = milliseconds(500),
       .rules = rules,
       .on_open = [](const std::string&) {},
       .on_message = [](const std::string&, const std::string&) {},
       .on_close = [&](const std::string&, const std::string& text) { closed.set_value(text); }});
  sockets.open("one", url);
  const bool told = why.wait_for(milliseconds(5000)) == std::future_status::ready;
  assert_true(sockets.stop(milliseconds(5000)));
  assert_true(told);
  return why.get();
}

void web_sockets(void**) {
  equal(socket_error("ws://169.254.169.254/ws/x", lenient), "169.254.169.254 is denied: 169.254.169.254 is link-local");
  equal(socket_error("wss://[64:ff9b::a9fe:a9fe]/", lenient),
        "64:ff9b::a9fe:a9fe is denied: 64:ff9b::a9fe:a9fe is link-local");
  const Listener listener;
  const std::string port = ":" + std::to_string(listener.port) + "/";
  equal(socket_error("ws://127.0.0.1" + port, strict), "127.0.0.1 is denied: 127.0.0.1 is loopback");
  assert_true(socket_error("wss://localhost" + port, strict).ends_with(" is loopback"));
  assert_false(has_client(listener));
  equal(socket_error("ws://127.0.0.1" + port, lenient), "it didn't answer in time");
  assert_true(has_client(listener));
}

// host, port, what the request calls them, target
std::string parts(const std::string& text) {
  try {
    const auto url = wazoauth::parse_web_socket_url(text);
    return std::string(url.secure ? "TLS " : "") + url.host + " " + url.port + " " + url.asked + " " + url.target;
  } catch (const std::invalid_argument&) {
    return "refused";
  }
}

void web_socket_urls(void**) {
  const std::pair<const char*, const char*> urls[] = {
      {"wss://a.example", "TLS a.example 443 a.example /"},
      {"WSS://a.example:443/ws/x", "TLS a.example 443 a.example /ws/x"},
      {"ws://a.example:/x", "a.example 80 a.example /x"},
      {"ws://a.example:443?a=b/c", "a.example 443 a.example:443 /?a=b/c"},
      {"wss://[2001:db8::1]/%20?q=%2F", "TLS 2001:db8::1 443 [2001:db8::1] /%20?q=%2F"},
      {"ws://[::1]:8080/a//b", "::1 8080 [::1]:8080 /a//b"},
      {"ws://me:secret@a.example/", "a.example 80 a.example /"},
  };
  for (const auto& [text, expected] : urls) equal(parts(text), expected, text);
  for (const char* text : {"", "ws://", "wss:///x", "https://a.example/", "a.example", "ws://a:b/", "ws://a:0/",
                           "ws://a:65536/", "ws://[::1/", "ws://::1/", "ws://a/#b", "ws://a /", "ws://a/%zz"})
    equal(parts(text), "refused", text);
}

void web_sockets_end_when_nothing_is_open(void**) {
  for (int i = 0; i < 100; ++i) equal(socket_error("http://127.0.0.1/", lenient), "it has no address");
}

// Also the second one: what couldn't be made isn't used half made.
void web_sockets_without_their_authority(void**) {
  const Listener listener;
  std::promise<std::string> closed[2];
  std::future<std::string> why[2] = {closed[0].get_future(), closed[1].get_future()};
  wazoauth::WebSockets sockets(
      {.timeout = milliseconds(2000),
       .rules = lenient,
       .ca = "no certificate",
       .on_open = [](const std::string&) {},
       .on_message = [](const std::string&, const std::string&) {},
       .on_close = [&](const std::string& id, const std::string& text) { closed[id == "two"].set_value(text); }});
  const char* names[] = {"one", "two"};
  for (int i = 0; i < 2; ++i) {
    sockets.open(names[i], "wss://127.0.0.1:" + std::to_string(listener.port));
    const bool told = why[i].wait_for(milliseconds(5000)) == std::future_status::ready;
    if (!told) assert_true(sockets.stop(milliseconds(5000)));
    assert_true(told);
  }
  assert_true(sockets.stop(milliseconds(5000)));
  assert_false(has_client(listener));
  for (auto& text : why) assert_string_not_equal(text.get().c_str(), "it didn't answer in time");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(denied_always),
                              cmocka_unit_test(loopback_is_a_choice),
                              cmocka_unit_test(allowed),
                              cmocka_unit_test(only_the_internet),
                              cmocka_unit_test(connections),
                              cmocka_unit_test(a_limit_that_has_passed),
                              cmocka_unit_test(forms),
                              cmocka_unit_test(web_sockets),
                              cmocka_unit_test(web_socket_urls),
                              cmocka_unit_test(web_sockets_without_their_authority),
                              cmocka_unit_test(web_sockets_end_when_nothing_is_open)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
