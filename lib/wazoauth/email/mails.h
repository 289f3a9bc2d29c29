// The mail that asks somebody to confirm an address: ../shared/spec/email-flows.md sections 1 to 3.
//
// Three steps: is there all that it takes (any thread), does the server take it (lane `mail`), and then, in the
// transaction that gives the reason for it, the token and the mail. The outbox does the rest.
#pragma once

#include <optional>
#include <string>

#include "wazoauth/rest/router.h"

namespace wazoauth {

struct Confirmation {
  std::string email_uuid, address;
  std::optional<std::string> username;
};

bool can_be_mailed(const std::string& address);

// Both throw std::runtime_error, which makes the documented 500.
void require_confirmation_mail(const Settings& settings);
void ask_mail_server(const Settings& settings, const std::string& address);

void send_confirmation(Context& context, const Confirmation& confirmation);

}  // namespace wazoauth
