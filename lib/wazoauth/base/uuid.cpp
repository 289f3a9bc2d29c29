#include "wazoauth/base/uuid.h"

#include <cctype>
#include <cstring>

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

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

constexpr bool is_dash(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

using Bytes = unsigned char __attribute__((vector_size(16)));

Bytes digits(Bytes values) {
  const auto letters = reinterpret_cast<Bytes>(values > 9);
  return values + '0' + (letters & static_cast<unsigned char>('a' - '0' - 10));
}

}  // namespace

bool pack_uuid(std::string_view text, char* to) {
  if (text.size() != uuid_chars) return false;
  int high = -1;
  for (std::size_t i = 0; i < uuid_chars; ++i) {
    if (is_dash(i)) {
      if (text[i] != '-') return false;
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return false;
    if (high >= 0) *to++ = static_cast<char>(high << 4 | value);
    high = high < 0 ? value : -1;
  }
  return true;
}

void unpack_uuid(const char* from, char* to) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  const Bytes high = bytes >> 4, low = bytes & 15;
  const Bytes halves[] = {
      digits(__builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)),
      digits(__builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))};
  char all[2 * uuid_bytes];
  std::memcpy(all, halves, sizeof all);
  std::memcpy(to, all, 8);
  std::memcpy(to + 9, all + 8, 4);
  std::memcpy(to + 14, all + 12, 4);
  std::memcpy(to + 19, all + 16, 4);
  std::memcpy(to + 24, all + 20, 12);
  to[8] = to[13] = to[18] = to[23] = '-';
}

}  // namespace wazoauth
