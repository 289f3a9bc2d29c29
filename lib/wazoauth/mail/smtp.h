// Handing a mail to the server that settings name: docs/spec/email-flows.md section 2.4.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "wazoauth/config/smtp.h"

namespace wazoauth {

struct Envelope {
  std::string sender, recipient;  // as envelope_address() gives them
};

// what() shows neither addresses nor anything of the message.
struct SmtpError : std::runtime_error {
  SmtpError(const std::string& what, bool for_good, bool reached)
      : std::runtime_error(what), permanent(for_good), answered(reached) {}
  bool permanent;  // this message will never be taken
  bool answered;   // the server is there and said no
};

// Does the server take a mail from this sender, for this recipient if there is one? Asks without sending one. Throws
// SmtpError. Takes twice the limit and a second at most.
void ask_server(const SmtpServer& server, const std::string& sender, const std::optional<std::string>& recipient);

// Sends. Ends early, with an SmtpError, when `stopping` says so. A server may take its time to look at a message: up to
// a minute.
void deliver(const SmtpServer& server, const Envelope& envelope, const std::string& message,
             const std::function<bool()>& stopping);

}  // namespace wazoauth
