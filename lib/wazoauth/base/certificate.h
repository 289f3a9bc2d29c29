// What an X.509 certificate says, for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

// {"subject", "issuer", "names", "not_before", "not_after", "expired", "key", "sha256"}; null when it can't be read.
// `now`: seconds since 1970. The order of `names` is the certificate's.
Json described_certificate(std::string_view der, std::int64_t now);
Json described_certificates(const std::vector<std::string>& der, std::int64_t now);  // without unreadable ones

// The first one of a text; "" for none.
std::string der_of_pem(const std::string& pem);

}  // namespace wazoauth
