// What this machine calls itself to a mail server: RFC 5321, section 4.1.1.1.
#pragma once

#include <string>

#include "wazoauth/base/deadline.h"
#include "wazoauth/config/smtp.h"
#include "wazoauth/outgoing/address.h"

namespace wazoauth {

// A name that means this machine elsewhere, too. Servers refuse others: bare names, "localhost", odd characters.
bool is_full_name(const std::string& name);

std::string address_literal(const Address& address);  // "[192.0.2.1]", "[IPv6:2001:db8::1]"

// The name that the settings give, else this machine's full name, else the address that it reaches the server from.
std::string ehlo_name(const SmtpServer& server, const Deadline& deadline);

}  // namespace wazoauth
