// Handing a mail to the server that settings name: docs/spec/email-flows.md section 2.4.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "wazoauth/base/trial.h"
#include "wazoauth/config/smtp.h"

namespace wazoauth {

struct Envelope {
  std::string sender, recipient;  // as envelope_address() gives them
};

// what() shows neither addresses nor anything of the message.
struct SmtpError : std::runtime_error {
  enum class Kind {
    away,     // it can't be reached, or not as the settings want it
    not_now,  // it says "later", or nothing in time
    refused,  // a "no" to us, or to the sender: an administrator can mend that
    never,    // a "no" to this recipient or this message
  };
  SmtpError(const std::string& what, Kind of, bool all) : std::runtime_error(what), kind(of), concerns_all(all) {}
  Kind kind;
  bool concerns_all;  // not only this mail, but every one
};

// Throws SmtpError unless the server takes a mail from this sender, for this recipient if there is one, now or later.
// Asks without sending one. Takes three times the limit and a second at most. A trial is told of `look_up`, `connect`,
// `greeting`, `ehlo`, `tls`, `auth`, `sender`, `recipient`, `data` and `message`, as far as it comes.
void ask_server(const SmtpServer& server, const std::string& sender, const std::optional<std::string>& recipient,
                Trial* trial = nullptr);

// Sends. Ends early, with an SmtpError, when `stopping` says so. A server may take its time to look at a message: up to
// a minute.
void deliver(const SmtpServer& server, const Envelope& envelope, const std::string& message,
             const std::function<bool()>& stopping, Trial* trial = nullptr);

}  // namespace wazoauth
