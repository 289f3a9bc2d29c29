// Section saml of the configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wazoauth::saml {

struct Keys;

struct Rules {
  std::int64_t clock_skew = 60;  // seconds that clocks may differ
  bool allow_sha1 = false;       // in signatures of identity providers
};

struct SamlSettings {
  std::string acs_url_template, key_file, cert_file;
  std::int64_t session_lifetime = 604800;  // seconds
  Rules rules;
  std::vector<std::string> redirect_urls;  // none: any https address
  // Read where the configuration is read (read_keys()), null elsewhere.
  std::shared_ptr<const Keys> keys;
};

}  // namespace wazoauth::saml
