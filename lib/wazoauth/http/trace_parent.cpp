#include "wazoauth/http/trace_parent.h"

#include <algorithm>

namespace wazoauth {

namespace {

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != text.npos;
}

// version-trace-parent-flags; versions to come may append something.
bool is_valid(std::string_view text) {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > size && (version == "00" || text[size] != '-')) return false;
  return is_id(text.substr(3, 32)) && is_id(text.substr(36, 16)) && is_hex(text.substr(53, 2));
}

}  // namespace

std::string trace_id(const Request& request) {
  const std::string header = request.header_or_empty("traceparent");
  return is_valid(header) ? header.substr(3, 32) : "";
}

}  // namespace wazoauth
