// What an Accept-Encoding allows: RFC 9110 section 12.5.3.
#pragma once

#include <string_view>

namespace wazoauth {

// Null for a request without the header is the empty text: then nothing is compressed, though it might be.
bool accepts_gzip(std::string_view accept_encoding);

// Only by its name: who accepts everything may mean what everybody has.
bool accepts_brotli(std::string_view accept_encoding);

}  // namespace wazoauth
