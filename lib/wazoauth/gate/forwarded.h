// The client behind proxies (docs/spec/http-conventions.md section 1).
#pragma once

#include <optional>
#include <string_view>

namespace wazoauth::gate {

// The n-th value from the right of a comma-separated header, trimmed; nullopt when there are fewer, when it is empty or
// when n is 0. A header that was sent several times is joined with "," before.
std::optional<std::string_view> forwarded_value(std::string_view header, int n);

}  // namespace wazoauth::gate
