#include "wazoauth/audit/syslog.h"

#include <poll.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/json.h"
#include "wazoauth/outgoing/connect.h"

namespace wazoauth::audit {

namespace {

using Way = SyslogServer::Way;

constexpr std::chrono::milliseconds limit{5000};
constexpr std::size_t most = 8192;  // what rsyslog takes of a message, unless told otherwise

[[noreturn]] void fail(const char* what, int number = errno) {
  throw std::system_error(number, std::generic_category(), what);
}

// -- messages ---------------------------------------------------------------------------------------------------------

std::string priority() {
  return "<" + std::to_string(LOG_AUTHPRIV | LOG_NOTICE) + ">";
}

// As syslog(3) makes them: whoever reads a local socket, journald and rsyslog, takes no other form.
std::string local_header() {
  const std::time_t now = unix_seconds();
  std::tm parts{};
  localtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%b %e %H:%M:%S", &parts);
  return priority() + std::string(text.data(), size) + " wazo-auth: ";
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == -1 || name[0] == '\0') return "-";
  return name.data();
}

// RFC 5424, with the moment of the entry.
std::string header(const Json& entry, const std::string& host) {
  return priority() + "1 " + entry.text_or("at", "-") + " " + host + " wazo-auth - audit - ";
}

// One that is too long goes without what was changed: cut off it would be no JSON.
std::string message(const std::string& header, Json entry) {
  std::string text = header + entry.dump();
  if (text.size() <= most) return text;
  entry.set("before", nullptr).set("after", nullptr).set("cut", true);
  return header + entry.dump();
}

std::vector<std::string> messages(Way way, const std::vector<std::string>& entries) {
  const std::string host = host_name(), local = local_header();
  std::vector<std::string> made;
  for (const std::string& text : entries) {
    Json entry = Json::parse(text).value_or(Json::object());
    const std::string begin = way == Way::local ? local : header(entry, host);
    made.push_back(message(begin, std::move(entry)));
  }
  return made;
}

// -- their way --------------------------------------------------------------------------------------------------------

void connect_datagrams(const Socket& made, const sockaddr* address, socklen_t size) {
  if (made.get() == -1) fail("socket");
  if (connect(made.get(), address, size) == -1) fail("connect");
}

Socket local_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Socket made(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  connect_datagrams(made, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return made;
}

Socket udp_socket(const Address& address) {
  Socket made(socket(address.get()->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  connect_datagrams(made, address.get(), address.size);
  return made;
}

void send_all(const Socket& socket, std::string_view text, const Deadline& deadline) {
  while (!text.empty()) {
    const ssize_t sent = send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.get(), POLLOUT, deadline)) fail("send", ETIMEDOUT);
    } else if (errno != EINTR) {
      fail("send");
    }
  }
}

void send_datagrams(const Socket& socket, const std::vector<std::string>& texts, const Deadline& deadline) {
  for (const std::string& text : texts) send_all(socket, text, deadline);
  // What the other machine answered to the last of them, if it did.
  int failed = 0;
  socklen_t size = sizeof failed;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size) == -1) fail("getsockopt");
  if (failed) fail("send", failed);
}

// To the first address of the name that doesn't say no.
void send_by_udp(const SyslogServer& server, const std::vector<std::string>& texts, const Deadline& deadline) {
  const std::vector<Address> addresses = look_up(server.place, server.port, deadline);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    try {
      return send_datagrams(udp_socket(addresses[i]), texts, deadline);
    } catch (const std::system_error&) {
      if (i + 1 == addresses.size()) throw;
    }
  }
}

// The daemon ends a connection when it has read all of it, so its end says that nothing was lost. If it goes away
// earlier, the connection is reset.
void wait_until_read(const Socket& socket, const Deadline& deadline) {
  if (shutdown(socket.get(), SHUT_WR) == -1) fail("shutdown");
  std::array<char, 256> answer{};
  for (;;) {
    if (deadline.passed() || !wait_for(socket.get(), POLLIN, deadline)) fail("the end of the connection", ETIMEDOUT);
    const ssize_t size = recv(socket.get(), answer.data(), answer.size(), 0);
    if (size == 0) return;
    if (size == -1 && errno != EAGAIN && errno != EINTR) fail("recv");
  }
}

// RFC 6587: the length of each comes first.
void send_stream(const SyslogServer& server, const std::vector<std::string>& texts, const Deadline& deadline) {
  const Socket socket = connect_to(server.place, server.port, {}, limit, deadline);
  std::string all;
  for (const std::string& text : texts) all += std::to_string(text.size()) + ' ' + text;
  send_all(socket, all, deadline);
  wait_until_read(socket, deadline);
}

}  // namespace

void send_to_syslog(const SyslogServer& server, const std::vector<std::string>& entries) {
  const Deadline deadline(limit);
  const std::vector<std::string> texts = messages(server.way, entries);
  if (server.way == Way::tcp)
    send_stream(server, texts, deadline);
  else if (server.way == Way::udp)
    send_by_udp(server, texts, deadline);
  else
    send_datagrams(local_socket(server.place), texts, deadline);
}

}  // namespace wazoauth::audit
