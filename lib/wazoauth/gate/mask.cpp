#include "wazoauth/gate/mask.h"

#include <algorithm>

#include "wazoauth/log.h"

namespace wazoauth::gate {

namespace {

constexpr std::string_view segment_end = "/?# &";
constexpr std::string_view value_end = "&# ";

// Where the secret begins that this position introduces, npos when it introduces none.
std::size_t secret_after(std::string_view text, std::size_t at, const std::vector<std::string>& names) {
  constexpr std::string_view segment = "/token/";
  if (text[at] == '/' && text.substr(at, segment.size()) == segment) {
    const auto start = text.find_first_not_of('/', at + segment.size());
    return start == std::string_view::npos ? text.size() : start;
  }
  if (text[at] != '?' && text[at] != '&') return std::string_view::npos;
  const std::string_view parameter = text.substr(at + 1);
  const auto named = [&](std::string_view name) {
    return parameter.size() > name.size() && parameter.starts_with(name) && parameter[name.size()] == '=';
  };
  if (named("token")) return at + 1 + 6;
  const auto found = std::find_if(names.begin(), names.end(), named);
  return found == names.end() ? std::string_view::npos : at + 1 + found->size() + 1;
}

}  // namespace

std::optional<std::string> mask_tokens(std::string_view text, const std::vector<std::string>& names) {
  if (text.find("token") == std::string_view::npos &&
      std::none_of(names.begin(), names.end(), [&](const auto& n) { return text.find(n) != std::string_view::npos; }))
    return std::nullopt;
  std::string masked;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t start = secret_after(text, at, names);
    if (start == std::string_view::npos) continue;
    const auto& ends = text[at] == '/' ? segment_end : value_end;
    const std::size_t end = std::min(text.find_first_of(ends, start), text.size());
    if (end == start) continue;
    masked += text.substr(copied, start - copied);
    masked += log::mask_token(text.substr(start, end - start));
    copied = end;
    at = end - 1;
  }
  if (copied == 0) return std::nullopt;
  masked += text.substr(copied);
  return masked;
}

}  // namespace wazoauth::gate
