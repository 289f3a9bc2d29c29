// Hides the tokens in what nginx prints of a request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::gate {

// `text` (a request line or a URL) with every segment that follows "/token/" and every value of a query parameter named
// "token" or as one of `names` masked as log::mask_token() does it. nullopt: there is none, print it as it is.
std::optional<std::string> mask_tokens(std::string_view text, const std::vector<std::string>& names);

}  // namespace wazoauth::gate
