#include "wazoauth/ldap/reason.h"

#include <algorithm>
#include <array>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"

namespace wazoauth::ldap {

namespace {

constexpr std::size_t longest_text = 200;

// Windows' error codes, in hexadecimal as Active Directory writes them.
struct Code {
  std::string_view number, meaning;
};
constexpr std::array<Code, 14> codes{{{"525", "no such user"},
                                      {"52e", "wrong password"},
                                      {"52f", "the account's restrictions don't allow it"},
                                      {"530", "no logins are permitted at this time"},
                                      {"531", "no logins are permitted from this computer"},
                                      {"532", "the password has expired"},
                                      {"533", "the account is disabled"},
                                      {"534", "this kind of login isn't granted to the account"},
                                      {"568", "the account is in too many groups"},
                                      {"569", "this kind of login isn't granted to the account"},
                                      {"701", "the account has expired"},
                                      {"773", "the password must be changed first"},
                                      {"775", "the account is locked"},
                                      {"80090346", "a TLS channel binding is required"}}};

// What stands behind "data ", if that is how Active Directory says no to a bind.
std::string_view number_in(std::string_view text) {
  constexpr std::string_view before = "AcceptSecurityContext error, data ";
  const auto start = text.find(before);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + before.size());
  return text.substr(0, std::min(text.find_first_not_of("0123456789abcdefABCDEF"), text.size()));
}

}  // namespace

std::string reason_of(std::string_view diagnostic, std::string_view secret) {
  const std::string_view number = number_in(diagnostic);
  for (const Code& code : codes) {
    if (ascii::same(code.number, number)) return std::string(code.meaning) + " (data " + std::string(number) + ")";
  }
  if (!secret.empty() && diagnostic.find(secret) != std::string_view::npos) return "";
  std::string text = replace_invalid_utf8(diagnostic.substr(0, longest_text));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return std::string(ascii::trimmed(text));
}

}  // namespace wazoauth::ldap
