// The mails for the confirmation of an address and for the choice of a new password: docs/spec/email-flows.md
// sections 1 to 4.
//
// Three steps: is there all that it takes (any thread), does the server take it (lane `mail`), and then, in the
// transaction that gives the reason for it, the token and the mail. The outbox does the rest.
#pragma once

#include <optional>
#include <string>

#include "wazoauth/mail/smtp.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

struct Confirmation {
  std::string email_uuid, address;
  std::optional<std::string> username;
};

struct PasswordReset {
  std::string user_uuid, address;
  std::optional<std::string> username;
};

bool can_be_mailed(const std::string& address);

// All of these throw std::runtime_error, which makes the documented 500.
void require_confirmation_mail(const Settings& settings);
void require_reset_mail(const Settings& settings);
void ask_mail_server(const SmtpServer& server, const std::string& sender,
                     const std::optional<std::string>& recipient = std::nullopt);

void send_confirmation(Context& context, const Confirmation& confirmation);
void send_password_reset(Context& context, const PasswordReset& reset);

// Was the token made for a mail and for this access alone? Such a one works once; others, an administrator's say, live
// on.
bool is_mailed_token(const TokenRecord& token, const std::string& access);

std::string reset_access(const std::string& user_uuid);

}  // namespace wazoauth
