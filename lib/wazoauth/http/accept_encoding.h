// What an Accept-Encoding allows: RFC 9110 section 12.5.3.
#pragma once

#include <string_view>

namespace wazoauth {

// A request without the header has the empty text: nothing is compressed for it, though it might be.
bool accepts_gzip(std::string_view accept_encoding);

// Only by its name: who accepts everything may mean what everybody has.
bool accepts_brotli(std::string_view accept_encoding);

}  // namespace wazoauth
