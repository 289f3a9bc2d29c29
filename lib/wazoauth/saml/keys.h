// The key and the certificate that the configuration names, read once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wazoauth/saml/service_provider.h"

namespace wazoauth {

struct Settings;

namespace saml {

// Null, with a warning, when they can't be used: then there are no logins by SAML. Null without one when nobody has
// named them and they aren't where the defaults look. Warns, too, of settings that let more happen than one may want.
std::shared_ptr<const Keys> read_keys(const Settings& settings, std::vector<std::string>& warnings);

}  // namespace saml
}  // namespace wazoauth
