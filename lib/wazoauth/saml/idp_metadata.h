// An identity provider's metadata, as a tenant uploaded it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::saml {

constexpr std::size_t most_metadata_bytes = 2 << 20;

// Where an identity provider takes the answers to its own logout requests.
struct LogoutEnd {
  std::string location;
  bool by_post = false;
};

struct IdpMetadata {
  std::string entity_id;
  std::string login_url;                    // SingleSignOnService, HTTP-Redirect
  std::optional<std::string> logout_url;    // SingleLogoutService, HTTP-Redirect
  std::optional<LogoutEnd> logout_end;      // SingleLogoutService
  std::optional<std::int64_t> valid_until;  // Unix seconds
  std::vector<std::string> certificates;    // of its signatures, DER
  std::string descriptor;                   // an EntityDescriptor of this identity provider and of nothing else
};

// Whether it may be stored. XML that isn't SAML's metadata may be, as long as it isn't hostile; metadata only when
// logins can work with it now. Throws BadXml, whose what() is a sentence for who uploads it.
void check_metadata(std::string_view xml, std::int64_t now);

// Throws BadXml when it isn't the metadata of exactly one identity provider of SAML 2.0 with a redirect location for
// logins and a key for signatures.
IdpMetadata read_idp_metadata(std::string_view xml);

// When logins by it end: with the metadata, or with the last of the certificates. nullopt: nothing says so.
std::optional<std::int64_t> end_of(const IdpMetadata& metadata);

}  // namespace wazoauth::saml
