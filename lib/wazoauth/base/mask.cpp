#include "wazoauth/base/mask.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/log.h"

namespace wazoauth::gate {

namespace {

constexpr std::string_view segment_end = "/?# &\"";
constexpr std::string_view value_end = "&# \"";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Moves `at` behind `word` if it stands there, in letters of any case, encoded or not.
bool skip(std::string_view text, std::size_t& at, std::string_view word) {
  std::size_t end = at;
  for (const char wanted : word) {
    if (end >= text.size()) return false;
    char found = text[end++];
    if (found == '%' && end + 2 <= text.size() && hex_digit(text[end]) >= 0 && hex_digit(text[end + 1]) >= 0) {
      found = static_cast<char>(hex_digit(text[end]) * 16 + hex_digit(text[end + 1]));
      end += 2;
    }
    if (ascii::lower(found) != ascii::lower(wanted)) return false;
  }
  at = end;
  return true;
}

struct Secret {
  std::size_t begin, end;
};

// The secret that this position introduces, an empty one when it introduces none.
Secret secret_after(std::string_view text, std::size_t at, const std::vector<std::string>& names) {
  const auto until = [&](std::string_view ends) { return std::min(text.find_first_of(ends, at), text.size()); };
  if (text[at] == '/' || text[at] == '%') {
    if (!skip(text, at, "/token/")) return {};
    while (skip(text, at, "/") || skip(text, at, "token/")) continue;
    return {at, until(segment_end)};
  }
  if (text[at] != '?' && text[at] != '&') return {};
  const std::size_t start = at + 1;
  const auto named = [&](std::string_view name) {
    at = start;
    return skip(text, at, name) && skip(text, at, "=");
  };
  if (!named("token") && std::none_of(names.begin(), names.end(), named)) return {};
  return {at, until(value_end)};
}

}  // namespace

std::optional<std::string> mask_tokens(std::string_view text, const std::vector<std::string>& names) {
  std::string masked;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '/' && text[at] != '?' && text[at] != '&' && text[at] != '%') continue;
    const Secret secret = secret_after(text, at, names);
    if (secret.begin == secret.end) continue;
    const std::string_view value = text.substr(secret.begin, secret.end - secret.begin);
    at = secret.end - 1;
    if (log::is_masked(value)) continue;
    masked += text.substr(copied, secret.begin - copied);
    masked += log::mask_token(value);
    copied = secret.end;
  }
  if (copied == 0) return std::nullopt;
  masked += text.substr(copied);
  return masked;
}

std::string loggable(std::string_view line, const std::vector<std::string>& names) {
  std::string text = mask_tokens(line, names).value_or(std::string(line));
  // "client sent invalid header line: \"Cookie: ...\", client: ...": its value may be anything, quotation marks too.
  constexpr std::string_view quoted = " header line: \"";
  if (const auto start = text.find(quoted); start != std::string::npos) {
    const auto value = std::min(text.find_first_of(": \t\\\"", start + quoted.size()), text.size());
    const auto rest = std::min(text.rfind(", client: "), text.size());
    if (value < rest) text.replace(value, rest - value, "...\"");
  }
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), control, ' ');
  return text;
}

}  // namespace wazoauth::gate
