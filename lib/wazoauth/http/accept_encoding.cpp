#include "wazoauth/http/accept_encoding.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"

namespace wazoauth {

namespace {

std::string_view cut(std::string_view& rest, char at) {
  const std::size_t end = std::min(rest.find(at), rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

// A weight of 0, in any of its spellings, is a refusal; one that can't be read is none.
bool refuses(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = ascii::trimmed(cut(parameters, ';'));
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
  }
  return false;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view parameters = cut(accept_encoding, ',');
    const std::string_view coding = ascii::trimmed(cut(parameters, ';'));
    if (ascii::same(coding, "gzip") || ascii::same(coding, "x-gzip")) return !refuses(parameters);
    if (coding == "*") any = !refuses(parameters);
  }
  return any;
}

bool accepts_brotli(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view parameters = cut(accept_encoding, ',');
    if (ascii::same(ascii::trimmed(cut(parameters, ';')), "br")) return !refuses(parameters);
  }
  return false;
}

}  // namespace wazoauth
