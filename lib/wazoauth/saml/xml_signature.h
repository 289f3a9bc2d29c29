#pragma once

#include <string>

namespace wazoauth::saml {

// A message of ours, signed as a whole by RSA with SHA-256: after its Issuer, where the schema has it. `key`: PEM.
// Empty when that fails.
std::string sign_xml(const std::string& xml, const std::string& id, const std::string& key);

}  // namespace wazoauth::saml
