// Checks the content, the shape and the times of a response: everything that a signature alone doesn't prove.
// docs/spec/federation.md sections 4.3 and 4.4.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/config/saml.h"
#include "wazoauth/saml/xml.h"

namespace wazoauth::saml {

constexpr std::size_t most_message_bytes = 512 << 10;

// A message that isn't believed. what() is for the log: what it quotes of the message is short and printable, and holds
// nothing about a person but what a StatusMessage says.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What strangers wrote, for the log: short, in quotes, and in ASCII, without anything that acts on a terminal.
std::string in_quotes(std::string_view text);

struct NameId {
  std::string text, format, name_qualifier, sp_name_qualifier, sp_provided_id;  // "" for what isn't there
};
std::string to_xml(const NameId& name_id);
NameId name_id_from_xml(std::string_view xml);  // throws BadXml
std::string coded(const NameId& name_id);       // as the cache's key has it (docs/spec/schema.md section 5)
// Identity providers leave out of a logout what they said of the format and the name's realm at the login.
bool is_same_subject(const NameId& a, const NameId& b);

// The request that the response must answer, and the provider that it was sent to.
struct Expected {
  std::string issuer;       // entity id of the identity provider
  std::string entity_id;    // ours
  std::string acs_url;      // where the response was wanted
  std::string request_id;   // of our AuthnRequest
  std::string remote_addr;  // of the browser; "" to look at no address
  std::int64_t now = 0;     // Unix seconds
};

struct Assertion {
  NameId name_id;
  std::string issuer;
  std::string login;                      // the attribute of section 4.4
  std::string session_index;              // "" for none
  std::int64_t not_on_or_after = 0;       // of the session, else of the assertion
  std::string context, authenticated_at;  // of the AuthnStatement; "" for none
};

// All but what the only assertion says; that may be an EncryptedAssertion. Throws Refused. The signatures themselves
// aren't verified here, but that they are where they must be, sign what holds them and nothing else, and use algorithms
// that are good enough: so verifying them is enough.
Element check_response(const Document& document, const Expected& expected, const Rules& rules);

// The same of an assertion that stands alone, since it was encrypted. Whether it has a signature, too.
bool check_assertion(const Document& document, const Rules& rules);

// Throws Refused. By now nothing in it is encrypted.
Assertion read_assertion(const Element& assertion, const Expected& expected, const Rules& rules);

// Throws Refused unless it is one of those that are taken.
void check_signature_method(std::string_view name, const Rules& rules);

// Throws Refused unless it is the answer to our LogoutRequest, and a success.
void check_logout_response(const Document& document, const Expected& expected);

// A logout that an identity provider begins.
struct LogoutRequest {
  std::string id;
  NameId name_id;
  std::vector<std::string> session_indexes;  // none: all of the subject's
  std::int64_t issued = 0;
};

// Throws Refused when it is no logout request, and looks at nothing else.
std::string issuer_of_logout(const Document& document);

// Throws Refused unless the identity provider asks it of us, now. `sls_url`: "" when it isn't known.
void check_logout_request(const Document& document, const Expected& expected, const std::string& sls_url,
                          const Rules& rules);

// Throws Refused. By now nothing in it is encrypted.
LogoutRequest read_logout_request(const Document& document);

// Whether the XML of a message about a logout is signed as a whole. Throws Refused when a signature stands anywhere
// else, or isn't good enough; as with check_response(), its value isn't verified here.
bool is_signed(const Document& document, const Rules& rules);

}  // namespace wazoauth::saml
