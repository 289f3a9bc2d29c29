// From the outbox to the mail server: each mail once, but for a crash between the server's "yes" and the record of it;
// then the same message, with the same Message-ID, comes again. One relay per database at a time.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "wazoauth/base/wake.h"
#include "wazoauth/mail/smtp.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class MailRelay {
 public:
  struct Options {
    SmtpServer server;
    DatabaseOptions database;
    Wake* wake;
  };
  explicit MailRelay(Options options);

  void run();  // until wake->stop()

 private:
  using Clock = std::chrono::steady_clock;
  // A mail that the server didn't take this time: others pass it.
  struct Delay {
    std::chrono::milliseconds length;
    Clock::time_point until;
  };

  void give_way();
  bool relay();  // false: there was nothing to do
  void send(const Rows& rows, std::size_t row);
  void see_server(bool there);
  void settle(const std::string& id);
  void refuse(const std::string& id, const std::string& reason);
  void postpone(const std::string& id, const std::string& reason);
  void drop_expired();
  std::vector<std::string> delayed();

  Options options_;
  Database database_;
  std::map<std::string, Delay> delays_;
};

}  // namespace wazoauth
