#include "wazoauth/gate/target.h"

#include <array>

#include "wazoauth/base/ascii.h"
#include "wazoauth/http/http.h"

namespace wazoauth::gate {

namespace {

bool is_escape(std::string_view text, std::size_t at, char high, char low) {
  return text[at] == '%' && at + 2 < text.size() && text[at + 1] == high && ascii::lower(text[at + 2]) == low;
}

// Up to its first ';': servers in Java take the rest for parameters, which are no part of the path.
std::string_view name_of(std::string_view segment) {
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == ';' || is_escape(segment, i, '3', 'b')) return segment.substr(0, i);
  }
  return segment;
}

bool is_dots(std::string_view segment) {
  int dots = 0;
  for (std::size_t i = 0; i < segment.size(); ++i, ++dots) {
    if (segment[i] == '.') continue;
    if (!is_escape(segment, i, '2', 'e')) return false;
    i += 2;
  }
  return dots == 1 || dots == 2;
}

// Bytes that the rules below could be about; the others are of no interest, as is nearly every path.
constexpr auto special = [] {
  std::array<bool, 256> table{};
  for (const unsigned char c : std::string_view("%#;\\/.?")) table[c] = true;
  return table;
}();

bool is_plain(std::string_view target) {
  if (target.starts_with('.')) return false;
  char before = 0;
  for (std::size_t i = 0; i < target.size(); before = target[i++]) {
    const char c = target[i];
    if (!special[static_cast<unsigned char>(c)]) continue;
    if (c == '?') return true;
    if (c != '.' && c != '/') return false;
    if (before == '/') return false;
  }
  return true;
}

bool has_ambiguous_byte(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' || path[i] == '#') return true;
    if (path[i] != '%') continue;
    if (is_escape(path, i, '2', 'f') || is_escape(path, i, '5', 'c') || is_escape(path, i, '0', '0')) return true;
  }
  return false;
}

}  // namespace

bool unambiguous(std::string_view raw_target) {
  if (is_plain(raw_target)) return true;
  std::string_view path = raw_target.substr(0, raw_target.find('?'));
  if (path.find("//") != std::string_view::npos || has_ambiguous_byte(path)) return false;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view segment = path.substr(0, slash), name = name_of(segment);
    if (is_dots(name) || (name.empty() && !segment.empty())) return false;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return true;
}

bool append_value(std::string& access, std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '#' || c == '*') return false;
    access += c == '.' ? '_' : c;
  }
  return true;
}

std::string_view verb(std::string_view method) {
  if (method == "GET" || method == "HEAD") return "read";
  if (method == "POST") return "create";
  if (method == "PUT" || method == "PATCH") return "update";
  if (method == "DELETE") return "delete";
  return "";
}

std::string strip_parameter(std::string_view args, std::string_view name) {
  std::string kept;
  bool first = true;
  for (;;) {
    const auto end = args.find('&');
    const std::string_view pair = args.substr(0, end);
    if (!query_parameter(pair, name)) {
      if (!first) kept += '&';
      kept += pair;
      first = false;
    }
    if (end == std::string_view::npos) return kept;
    args.remove_prefix(end + 1);
  }
}

}  // namespace wazoauth::gate
