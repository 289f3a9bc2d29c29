#include "wazoauth/base/url.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The characters of RFC 3986 without brackets: those stand in the host only.
bool may_stand(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("-._~:/?#@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text.front() != '.' && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; });
}

bool is_ipv6(std::string_view text) {
  return text.size() >= 2 && text.size() <= 45 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit);
}

// Takes the host off, with the brackets of an IPv6 address: the port remains.
std::optional<std::string> take_host(std::string_view& authority) {
  std::size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    end = authority.find(']');
    if (end == std::string_view::npos || !is_ipv6(authority.substr(1, end - 1))) return std::nullopt;
    ++end;
  } else if (!is_name(authority.substr(0, end))) {
    return std::nullopt;
  }
  const std::string host = ascii::lower(authority.substr(0, end));
  authority.remove_prefix(std::min(end, authority.size()));
  return host;
}

std::string_view port_of(const Url& url) {
  if (!url.port.empty()) return url.port;
  return url.scheme == "https" ? "443" : url.scheme == "http" ? "80" : "";
}

// Dots in segments go up, also when they are written as %2e.
bool goes_up(std::string_view path) {
  std::string plain = ascii::lower(path);
  replace_all(plain, "%2e", ".");
  replace_all(plain, "%2f", "/");
  return (plain + "/").find("/../") != std::string::npos || plain.find("%5c") != std::string::npos;
}

bool is_below(const std::string& path, std::string top) {
  if (top.empty() || top == "/") return true;
  if (path == top) return true;
  if (top.back() != '/') top += '/';
  return path.starts_with(top) && !goes_up(path);
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) return std::nullopt;
  Url url;
  url.scheme = ascii::lower(text.substr(0, colon));
  std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  auto host = take_host(authority);
  if (!host) return std::nullopt;
  url.host = *host;
  if (!authority.empty()) {
    if (!is_port(authority.substr(1))) return std::nullopt;
    url.port = authority.substr(1);
  }
  if (!std::all_of(rest.begin(), rest.end(), may_stand)) return std::nullopt;
  url.path = rest.substr(0, rest.find_first_of("?#"));
  if (url.path.starts_with("//")) return std::nullopt;
  return url;
}

bool may_redirect(std::string_view target, const std::vector<std::string>& allowed) {
  const auto url = parse_url(target);
  if (!url) return false;
  if (allowed.empty()) return url->scheme == "https";
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& each) {
    const auto entry = parse_url(each);
    return entry && entry->scheme == url->scheme && entry->host == url->host && port_of(*entry) == port_of(*url) &&
           is_below(url->path, entry->path);
  });
}

std::string with_parameter(const std::string& url, std::string_view name_and_value) {
  const std::size_t fragment = std::min(url.find('#'), url.size());
  const std::string start = url.substr(0, fragment);
  const char* const mark = start.find('?') == std::string::npos ? "?" : "&";
  return start + mark + std::string(name_and_value) + url.substr(fragment);
}

}  // namespace wazoauth
