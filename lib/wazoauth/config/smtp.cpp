#include "wazoauth/config/smtp.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace wazoauth {

namespace {

constexpr std::size_t longest_domain = 255, longest_label = 63;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= longest_label && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

}  // namespace

bool is_domain(std::string_view text) {
  if (text.size() > longest_domain) return false;
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_host_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 128 && (std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':');
  });
}

bool is_ehlo_name(const std::string& text) {
  constexpr std::string_view ipv6 = "IPv6:";
  if (!text.starts_with('[') || !text.ends_with(']')) return is_domain(text);
  const std::string address = text.substr(1, text.size() - 2);
  in6_addr number;
  if (address.starts_with(ipv6)) return inet_pton(AF_INET6, address.c_str() + ipv6.size(), &number) == 1;
  return inet_pton(AF_INET, address.c_str(), &number) == 1;
}

}  // namespace wazoauth
