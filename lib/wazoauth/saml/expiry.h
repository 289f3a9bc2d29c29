// Until when the identity providers' metadata hold, for who asks for metrics.
#pragma once

#include <string>

#include "wazoauth/base/meters.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::saml {

// Reads them where they have changed since it was `seen`, "" at first. Of 1000 configurations at most.
void tell_expiry(Database& database, Meters& meters, std::string& seen);

}  // namespace wazoauth::saml
