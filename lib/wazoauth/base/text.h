// Small work on texts: encodings, transliteration, slugs, random texts.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

bool is_utf8(std::string_view bytes);                      // surrogates and overlong forms are not UTF-8
std::string replace_invalid_utf8(std::string_view bytes);  // each ill-formed part becomes U+FFFD
std::string utf8_or_latin1(std::string_view bytes);        // as they are when they are UTF-8, else read as ISO 8859-1
std::size_t code_points(std::string_view utf8);
void append_utf8(std::string& text, char32_t code_point);  // a valid code point

// The double nearest to a decimal number as C writes it ("-1.5e3"), whatever the locale; infinite when too big.
double parse_real(const std::string& text);

// As lenient decoders do it: characters outside the alphabet are skipped, decoding ends at complete padding. nullopt
// when what remains is incomplete.
std::optional<std::string> decode_base64(std::string_view text);

std::string encode_base64(std::string_view bytes);
// All but letters, digits, "-._~" and `plain`, in capitals.
std::string percent_encoded(std::string_view bytes, std::string_view plain = "");

std::string sha256_base64url(std::string_view bytes);  // with its padding

std::string lower_case(std::string_view utf8);
std::string fold_case(std::string_view utf8);  // equal for texts that differ only in case

// The same for what directories take for one (RFC 4518), or some of them do: width, blanks, marks on letters and what
// can't be seen don't count either.
std::string fold_loosely(std::string_view utf8);

// An ASCII approximation: "é" → "e", "ß" → "ss"; what has none is left out.
std::string transliterate(std::string_view utf8);

// The slug that a name suggests (docs/spec/endpoints.md section 3.3): ASCII letters, digits, '_' and, if allowed,
// '-' are kept, everything else vanishes; at most `max` characters. May be empty.
std::string make_slug(std::string_view name, std::size_t max, bool allow_dash);

// Every `word` (not empty) in `text` becomes `by`.
void replace_all(std::string& text, std::string_view word, std::string_view by);

std::string to_hex(std::string_view bytes);  // two digits a byte, in lower case

// From the system's cryptographic random source. Both throw std::runtime_error when that source fails.
std::string random_bytes(std::size_t size);
std::string random_text(std::size_t size, std::string_view alphabet);  // characters of `alphabet`

}  // namespace wazoauth
