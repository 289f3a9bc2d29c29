// The client behind proxies (docs/spec/http-conventions.md section 1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wazoauth::gate {

// The n-th value from the right of a comma-separated header, trimmed; nullopt when there are fewer, when it is empty or
// when n is 0. A header that was sent several times is joined with "," before.
std::optional<std::string_view> forwarded_value(std::string_view header, int n);

// The one form of an address of the Internet: without port, brackets, quotes, blanks and zone; IPv6 as inet_ntop()
// writes it, IPv4 inside of it ("::ffff:192.0.2.1", what a dual-stack socket sees) as IPv4. nullopt for anything else.
std::optional<std::string> canonical_address(std::string_view text);

}  // namespace wazoauth::gate
