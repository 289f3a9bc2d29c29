// How messages travel through browsers: saml-bindings-2.0, sections 3.4 and 3.5.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/saml/response.h"

namespace wazoauth::saml {

// HTTP-POST: base64, with line breaks if need be. Throws Refused when it is none, or is too long.
std::string decode_posted(std::string_view message);

// HTTP-Redirect: DEFLATE in base64. Throws Refused; what it inflates to is bounded too.
std::string decode_redirected(std::string_view message);

// The part of a query that HTTP-Redirect signs, and the signature.
struct SignedPart {
  std::string text;       // as it came, in the order that it is signed in
  std::string method;     // SigAlg
  std::string signature;  // the bytes
};

// nullopt when there is no signature. Throws Refused when a part is there twice, or under a name in other letters: two
// readers could take different ones.
std::optional<SignedPart> signed_part(std::string_view query);

constexpr std::size_t most_state_bytes = 4096;

// A message about a logout, as a browser brought it.
struct Carried {
  std::string xml, relay_state;
  std::optional<SignedPart> signed_part;  // of a query; what is posted is signed in the XML
};

// `name`: SAMLRequest or SAMLResponse. Throw Refused.
Carried carried_by_query(std::string_view query, const char* name);
Carried carried_by_form(std::string_view message, std::string_view relay_state);

}  // namespace wazoauth::saml
