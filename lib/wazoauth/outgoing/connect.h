// Connections to hosts that tenants' administrators name. A name is looked up once, all its addresses are checked, and
// it is one of these that is connected to. Every wait has an end.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "wazoauth/base/deadline.h"
#include "wazoauth/outgoing/address.h"

namespace wazoauth {

// what() names the host.
struct Unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// As the system resolves names, /etc/hosts included. Throws Unreachable.
std::vector<Address> look_up(const std::string& host, int port, const Deadline& deadline);

// A TCP connection, non-blocking. Addresses are tried one after the other, each within `each`. A host of which one
// address is denied is denied: throws Unreachable for that as for everything else.
Socket connect_to(const std::string& host, int port, const OutgoingRules& rules, Deadline::Time each,
                  const Deadline& deadline);

// Waits for what poll() knows as `events`. False: not in time.
bool wait_for(int fd, short events, const Deadline& deadline);

}  // namespace wazoauth
