#include "wazoauth/base/uuid.h"

#include <cctype>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

std::string new_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

bool is_uuid4(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
    } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
      return false;
    }
  }
  return text[14] == '4' && (text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b');
}

std::optional<std::string> canonical_uuid(std::string_view given) {
  std::string text(given);
  for (const std::string_view word : {"urn:", "uuid:"}) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) text.erase(at, word.size());
  }
  while (!text.empty() && (text.front() == '{' || text.front() == '}')) text.erase(0, 1);
  while (!text.empty() && (text.back() == '{' || text.back() == '}')) text.pop_back();
  std::erase(text, '-');
  if (text.size() != 32) return std::nullopt;
  std::string uuid;
  for (const char c : text) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    if (uuid.size() == 8 || uuid.size() == 13 || uuid.size() == 18 || uuid.size() == 23) uuid += '-';
    uuid += ascii::lower(c);
  }
  return uuid;
}

}  // namespace wazoauth
