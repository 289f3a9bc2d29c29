// Why a directory says no, in words for the log.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth::ldap {

// `diagnostic` is the directory's own text (diagnosticMessage, RFC 4511 section 4.1.9): Active Directory hides its
// reason in it as "data 775". Without control characters, and without a text that holds `secret`. "" when it says
// nothing.
std::string reason_of(std::string_view diagnostic, std::string_view secret);

}  // namespace wazoauth::ldap
