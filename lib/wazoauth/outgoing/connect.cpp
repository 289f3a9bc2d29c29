#include "wazoauth/outgoing/connect.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace wazoauth {

namespace {

std::string error_text(int number) {
  return std::generic_category().message(number);
}

void check(const std::string& host, const std::vector<Address>& addresses, const OutgoingRules& rules) {
  for (const Address& address : addresses) {
    const std::string why = denial(address, rules);
    if (!why.empty()) throw Unreachable(host + " is denied: " + why);
  }
}

// 0, or what errno says.
int try_address(const Socket& socket, const Address& address, const Deadline& deadline) {
  if (connect(socket.get(), address.get(), address.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(socket.get(), POLLOUT, deadline)) return ETIMEDOUT;
  int failed = 0;
  socklen_t size = sizeof failed;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size) != 0) return errno;
  return failed;
}

Json texts(const std::vector<Address>& addresses) {
  Json all = Json::array();
  for (const Address& address : addresses) all.append(address.text());
  return all;
}

}  // namespace

Socket::~Socket() {
  if (fd_ != -1) close(fd_);
}

bool wait_for(int fd, short events, const Deadline& deadline) {
  for (;;) {
    pollfd one{fd, events, 0};
    const int ready = poll(&one, 1, static_cast<int>(deadline.left().count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Socket connect_to(const std::string& host, int port, const OutgoingRules& rules, Deadline::Time each,
                  const Deadline& deadline, Trial* trial) {
  if (trial) trial->begin("look_up").detail("host", host);
  const std::vector<Address> addresses = look_up(host, port, deadline.at_most(each));
  if (trial) trial->detail("addresses", texts(addresses));
  check(host, addresses, rules);
  if (trial) trial->begin("connect").detail("port", port);
  int failed = ETIMEDOUT;
  for (const Address& address : addresses) {
    if (deadline.passed()) break;
    Socket made(socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    failed = made.get() == -1 ? errno : try_address(made, address, deadline.at_most(each));
    if (failed) continue;
    const int on = 1;
    setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (trial) trial->detail("address", address.text());
    return made;
  }
  throw Unreachable(host + " can't be reached: " + error_text(failed));
}

}  // namespace wazoauth
