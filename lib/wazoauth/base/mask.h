// Hides the tokens in what nginx prints of a request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::gate {

// `text` (a request line, a URL, or a line of a log that quotes them) with every segment that follows "/token/" and
// every value of a query parameter named "token" or as one of `names`, in any spelling, masked as log::mask_token()
// does it. nullopt: there is none, print it as it is. Masking what is masked changes nothing.
std::optional<std::string> mask_tokens(std::string_view text, const std::vector<std::string>& names);

// A line, without its end, of nginx's error log as it may be written: with tokens masked, without the values of header
// lines that nginx quotes, and with blanks for control characters, so that no client's text looks like another line.
std::string loggable(std::string_view line, const std::vector<std::string>& names);

}  // namespace wazoauth::gate
