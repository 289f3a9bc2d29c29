// Logouts that an identity provider begins.
#pragma once

#include "wazoauth/rest/route.h"
#include "wazoauth/saml/binding.h"
#include "wazoauth/saml/providers.h"

namespace wazoauth::saml {

// Ends the logins that a LogoutRequest names, and sends the browser back with the answer. Throws Refused and BadXml.
Step take_logout_request(Context& context, Providers& providers, const Carried& message);

[[noreturn]] void refuse_logout(const std::string& whose, const Refused& why);
std::string through(const std::string& domain);  // for the log

}  // namespace wazoauth::saml
