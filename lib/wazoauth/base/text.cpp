#include "wazoauth/base/text.h"

#include <locale.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace wazoauth {
namespace {

bool is_ascii_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// One for each thread: ICU's transliterators are not for concurrent use and expensive to make.
const icu::Transliterator& latin_ascii() {
  thread_local const std::unique_ptr<icu::Transliterator> transliterator = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<icu::Transliterator> made(
        icu::Transliterator::createInstance("Any-Latin; Latin-ASCII", UTRANS_FORWARD, status));
    if (U_FAILURE(status) || made == nullptr) throw std::runtime_error("ICU has no transliteration to ASCII");
    return made;
  }();
  return *transliterator;  // NOLINT(clang-analyzer-cplusplus.NewDelete): moved, not freed
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  const auto* s = reinterpret_cast<const std::uint8_t*>(bytes.data());
  for (std::size_t i = 0; i < bytes.size();) {
    UChar32 c;
    U8_NEXT(s, i, bytes.size(), c);
    if (c < 0) return false;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  const auto* s = reinterpret_cast<const std::uint8_t*>(bytes.data());
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t start = i;
    UChar32 c;
    U8_NEXT(s, i, bytes.size(), c);
    if (c < 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += bytes.substr(start, i - start);
    }
  }
  return out;
}

std::string utf8_or_latin1(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

std::size_t code_points(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

void append_utf8(std::string& text, char32_t code_point) {
  std::array<char, U8_MAX_LENGTH> bytes;
  std::size_t size = 0;
  U8_APPEND_UNSAFE(bytes.data(), size, code_point);
  text.append(bytes.data(), size);
}

double parse_real(const std::string& text) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(text.c_str(), nullptr, c_locale);
}

std::string encode_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string percent_encoded(std::string_view bytes, std::string_view plain) {
  constexpr std::string_view digits = "0123456789ABCDEF", unreserved = "-._~";
  std::string encoded;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || unreserved.find(c) != unreserved.npos || plain.find(c) != plain.npos)
      encoded += c;
    else
      (((encoded += '%') += digits[byte >> 4]) += digits[byte & 15]);
  }
  return encoded;
}

std::string sha256_base64url(std::string_view bytes) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  std::string text = encode_base64(hash);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  unsigned in_group = 0;
  unsigned padding = 0;
  for (const char c : text) {
    if (c == '=') {
      ++padding;
      if (in_group >= 2 && in_group + padding >= 4) return out;
      continue;
    }
    const int value = base64_value(c);
    if (value < 0) continue;
    padding = 0;
    bits = bits << 6 | static_cast<unsigned>(value);
    if (in_group != 0) out += static_cast<char>(bits >> (6 - 2 * in_group));
    in_group = (in_group + 1) % 4;
  }
  if (in_group != 0) return std::nullopt;
  return out;
}

std::string lower_case(std::string_view utf8) {
  std::string lower;
  return icu::UnicodeString::fromUTF8({utf8.data(), static_cast<int32_t>(utf8.size())})
      .toLower(icu::Locale::getRoot())
      .toUTF8String(lower);
}

std::string fold_case(std::string_view utf8) {
  std::string folded;
  return icu::UnicodeString::fromUTF8({utf8.data(), static_cast<int32_t>(utf8.size())}).foldCase().toUTF8String(folded);
}

std::string fold_loosely(std::string_view utf8) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* const fold = icu::Normalizer2::getNFKCCasefoldInstance(status);
  const icu::Normalizer2* const split = icu::Normalizer2::getNFDInstance(status);
  if (U_FAILURE(status)) throw std::runtime_error("ICU has no normalization");
  const auto text = icu::UnicodeString::fromUTF8({utf8.data(), static_cast<int32_t>(utf8.size())});
  const icu::UnicodeString folded = split->normalize(fold->normalize(text, status), status);
  if (U_FAILURE(status)) throw std::runtime_error("ICU can't normalize a text");
  icu::UnicodeString kept;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 c = folded.char32At(i);
    constexpr UChar32 object_replacement = 0xfffc;
    constexpr std::uint32_t unseen = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_MN_MASK;
    if (!u_isUWhiteSpace(c) && !(U_GET_GC_MASK(c) & unseen) && c != object_replacement) kept.append(c);
  }
  std::string result;
  return kept.toUTF8String(result);
}

std::string transliterate(std::string_view utf8) {
  auto text = icu::UnicodeString::fromUTF8({utf8.data(), static_cast<int32_t>(utf8.size())});
  latin_ascii().transliterate(text);
  std::string out;
  for (int32_t i = 0; i < text.length(); ++i) {
    if (text[i] < 0x80) out += static_cast<char>(text[i]);
  }
  return out;
}

std::string make_slug(std::string_view name, std::size_t max, bool allow_dash) {
  std::string slug;
  for (const char c : name) {
    if (slug.size() == max) break;
    if (is_ascii_alnum(c) || c == '_' || (allow_dash && c == '-')) slug += c;
  }
  return slug;
}

void replace_all(std::string& text, std::string_view word, std::string_view by) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size()))
    text.replace(at, word.size(), by);
}

std::string to_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1)
    throw std::runtime_error("no random bytes from the system");
  return bytes;
}

std::string random_text(std::size_t size, std::string_view alphabet) {
  std::string text;
  text.reserve(size);
  // Bytes beyond the last whole multiple would make the first characters likelier.
  const unsigned fair = 256 - 256 % static_cast<unsigned>(alphabet.size());
  while (text.size() < size) {
    for (const unsigned char byte : random_bytes(64)) {
      if (text.size() < size && byte < fair) text += alphabet[byte % alphabet.size()];
    }
  }
  return text;
}

}  // namespace wazoauth
