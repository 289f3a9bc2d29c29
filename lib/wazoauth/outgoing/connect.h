// Connections to hosts that tenants' administrators name. Looks a name up once, checks all its addresses and connects
// to one of these. Every wait has an end.
#pragma once

#include <string>
#include <utility>

#include "wazoauth/base/deadline.h"
#include "wazoauth/base/trial.h"
#include "wazoauth/outgoing/address.h"
#include "wazoauth/outgoing/look_up.h"

namespace wazoauth {

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

// A TCP connection, non-blocking. Addresses are tried one after the other, each within `each`. A host of which one
// address is denied is denied: throws Unreachable for that as for everything else. A trial is told of
// `look_up` and `connect`.
Socket connect_to(const std::string& host, int port, const OutgoingRules& rules, Deadline::Time each,
                  const Deadline& deadline, Trial* trial = nullptr);

// Waits for `events`, POLLIN say. False: not in time.
bool wait_for(int fd, short events, const Deadline& deadline);

}  // namespace wazoauth
