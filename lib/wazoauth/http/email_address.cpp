#include "wazoauth/http/email_address.h"

#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace wazoauth {

namespace {

bool is_atom(std::string_view text) {
  if (text.empty()) return false;
  static constexpr std::string_view marks = "-!#$%&'*+/=?^`{}|~_";
  const icu::UnicodeString word =
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int>(text.size())));
  for (int i = 0; i < word.length(); i = word.moveIndex32(i, 1)) {
    const UChar32 c = word.char32At(i);
    if (!u_isalnum(c) && !(c < 128 && marks.find(static_cast<char>(c)) != std::string_view::npos)) return false;
  }
  return true;
}

bool is_quoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  text = text.substr(1, text.size() - 2);
  const auto control = [](unsigned char c) {
    return (c >= 1 && c <= 8) || c == 11 || c == 12 || (c >= 14 && c <= 31) || c == 127;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\\') {
      if (++i >= text.size()) return false;
      const auto next = static_cast<unsigned char>(text[i]);
      if (!((next >= 1 && next <= 9) || next == 11 || next == 12 || (next >= 14 && next <= 127))) return false;
    } else if (!control(c) && !(c >= '!' && c <= '~' && c != '"')) {
      return false;
    }
  }
  return true;
}

std::vector<std::string_view> labels_of(std::string_view text) {
  std::vector<std::string_view> labels;
  for (;;) {
    const auto dot = text.find('.');
    labels.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return labels;
    text.remove_prefix(dot + 1);
  }
}

bool is_local_part(std::string_view text) {
  const auto atoms = labels_of(text);
  return std::all_of(atoms.begin(), atoms.end(), is_atom) || is_quoted(text);
}

bool is_label_character(unsigned char c) {
  return c < 128 && (std::isalnum(c) || c == '-');
}

bool is_address_literal(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  const auto numbers = labels_of(text.substr(1, text.size() - 2));
  if (numbers.size() != 4) return false;
  return std::all_of(numbers.begin(), numbers.end(), [](std::string_view number) {
    if (number.empty() || number.size() > 3) return false;
    if (!std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c); })) return false;
    return std::stoi(std::string(number)) <= 255;
  });
}

bool is_domain(std::string_view text) {
  if (text == "localhost" || is_address_literal(text)) return true;
  const auto labels = labels_of(text);
  if (labels.size() < 2) return false;
  for (const std::string_view& label : labels) {
    const bool last = &label == &labels.back();
    if (label.empty() || !std::all_of(label.begin(), label.end(), is_label_character)) return false;
    if (last ? label.size() < 2 : label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  }
  return true;
}

std::string idna(std::string_view domain) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UIDNA, decltype(&uidna_close)> converter(uidna_openUTS46(UIDNA_DEFAULT, &status), uidna_close);
  if (U_FAILURE(status)) return "";
  char buffer[1024];
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  const int size = uidna_nameToASCII_UTF8(converter.get(), domain.data(), static_cast<int>(domain.size()), buffer,
                                          sizeof buffer, &info, &status);
  if (U_FAILURE(status) || info.errors != 0) return "";
  return std::string(buffer, static_cast<std::size_t>(size));
}

}  // namespace

std::string ascii_domain(std::string_view domain) {
  return is_domain(domain) ? std::string(domain) : idna(domain);
}

bool is_email(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos) return false;
  const std::string_view domain = address.substr(at + 1);
  return is_local_part(address.substr(0, at)) && (is_domain(domain) || is_domain(idna(domain)));
}

}  // namespace wazoauth
