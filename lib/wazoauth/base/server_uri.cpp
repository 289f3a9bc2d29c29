#include "wazoauth/base/server_uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "wazoauth/base/ascii.h"

namespace wazoauth {

namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw std::invalid_argument(sentence);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      plain += text[at];
      continue;
    }
    const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
    if (low < 0) refuse("a percent sign must be followed by two hexadecimal digits: write %25 for one that is meant");
    const char c = static_cast<char>(high * 16 + low);
    if (c == '\0') refuse("%00 can't stand in it");
    plain += c;
    at += 2;
  }
  return plain;
}

int port_number(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535)
    refuse(
        "the port must be a number from 1 to 65535 (in a name or password write %2F for /, %3A for :, %3F for ?, %23 "
        "for #)");
  return port;
}

std::string bracketed_address(std::string_view text) {
  in6_addr address{};
  const std::string host(text);
  const std::string bare = host.substr(0, host.find("%25"));  // RFC 6874: a zone
  if (inet_pton(AF_INET6, bare.c_str(), &address) != 1) refuse("in the brackets must be an IPv6 address");
  return decoded(text);
}

void parse_host(std::string_view text, ServerUri& uri) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) refuse("the bracket of the IPv6 address isn't closed");
    uri.host = bracketed_address(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') refuse("behind the IPv6 address only a port may follow");
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (text.find(':', colon + 1) != std::string_view::npos) refuse("an IPv6 address must stand in brackets");
    uri.host = decoded(text.substr(0, colon));
    text.remove_prefix(colon);
  }
  if (text.size() > 1) uri.port = port_number(text.substr(1));  // RFC 3986 lets a port be empty
}

void parse_userinfo(std::string_view text, ServerUri& uri) {
  const std::size_t colon = text.find(':');
  uri.user = decoded(text.substr(0, colon));
  if (colon != std::string_view::npos) uri.password = decoded(text.substr(colon + 1));
}

void parse_query(std::string_view text, ServerUri& uri) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    uri.query.emplace_back(decoded(part.substr(0, equals)), decoded(part.substr(std::min(equals + 1, part.size()))));
  }
}

}  // namespace

ServerUri parse_server_uri(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    refuse("blanks and control characters can't stand in it: write %20 for a blank");
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) refuse("it must begin like scheme://");
  ServerUri uri;
  uri.scheme = ascii::lower(text.substr(0, colon));
  std::string_view rest = text.substr(colon + 3);
  if (rest.find('#') != std::string_view::npos) refuse("a # can't stand in it: write %23");
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    parse_query(rest.substr(mark + 1), uri);
    rest = rest.substr(0, mark);
  }
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) uri.path = decoded(rest.substr(slash + 1));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    parse_userinfo(authority.substr(0, at), uri);
    authority.remove_prefix(at + 1);
  }
  parse_host(authority, uri);
  return uri;
}

}  // namespace wazoauth
