// One connection to a directory, over libldap. Nothing here waits longer than it may, whatever the other side does.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "wazoauth/base/deadline.h"
#include "wazoauth/config/ldap.h"
#include "wazoauth/outgoing/connect.h"

struct ldap;
struct ldapmsg;

namespace wazoauth::ldap {

// Can this be the name or the address of a directory? An address of IPv6 may be in brackets.
bool is_host(std::string_view text);
std::string_view without_brackets(std::string_view host);

enum class Security { none, ldaps, start_tls };
Security security_named(std::string_view name);  // as the API calls it; "" for none

struct Server {
  std::string host;
  int port = 389;
  int version = 3;  // of the protocol
  Security security = Security::none;
};

// The directory did something else than it should: what() says what, without anything that a user typed.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// It isn't there, doesn't answer in time, or can't prove who it is. Nobody has looked at a password.
struct Away : Failure {
  using Failure::Failure;
};

// The socket that libldap reads from and writes to.
struct Stream {
  Socket socket;
  Deadline deadline;  // of what is being done: after it every read and write fails
};

enum class Scope { base, subtree };

struct Found {
  enum class What { nothing, entry, several, referral } what = What::nothing;
  std::string dn;
  std::string value;  // the first one of the wanted attribute; "" for none
};

class Connection {
 public:
  // Connects, with TLS if so wanted. Throws Failure. `ca_file` is that of the first call in a process, "" for what
  // ldap.conf says. A trial is told of `look_up`, `connect` and `tls`.
  Connection(const Server& server, const Limits& limits, const OutgoingRules& rules, const std::string& ca_file,
             const Deadline& deadline, Trial* trial = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A simple bind: nullopt, or why the directory doesn't take these credentials. Without a name or a password servers
  // would accept every bind: that is a Failure, and nothing is sent.
  std::optional<std::string> bind(const std::string& dn, const std::string& password);

  // The one entry that fits. References to other directories beside it are passed over.
  Found search(const std::string& base, Scope scope, const std::string& filter, const std::string& attribute);

 private:
  using Message = std::unique_ptr<ldapmsg, int (*)(ldapmsg*)>;

  void set(int option, const void* value);
  void start_tls();
  void handshake();
  void begin(Deadline::Time limit);
  Message result(int message_id, bool all);
  struct Answer {
    int code;
    std::string text;  // the directory's own words
  };
  Answer answer_in(const Message& message);
  [[noreturn]] void give_up(const std::string& doing, int code, const std::string& reason = {}) const;

  struct Unbind {
    void operator()(::ldap* handle) const;
  };

  std::string name_;
  Security security_;
  Limits limits_;
  Deadline deadline_;
  Stream stream_;
  std::unique_ptr<::ldap, Unbind> handle_;
};

}  // namespace wazoauth::ldap
