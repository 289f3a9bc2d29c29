#include "wazoauth/saml/binding.h"

#include <zlib.h>

#include <algorithm>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/http/http.h"

namespace wazoauth::saml {

namespace {

bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool is_line_break(char c) {
  return c == '\r' || c == '\n' || c == '\t';
}

constexpr std::string_view blanks = " \t\r\n";

// Lines may be indented. Other spaces were a '+' that somebody didn't encode.
std::string repaired(std::string_view text) {
  std::string out;
  text = ascii::trimmed(text, blanks);
  while (!text.empty()) {
    const std::string_view gap = text.substr(0, text.find_first_not_of(blanks));  // the last character is none
    if (std::none_of(gap.begin(), gap.end(), is_line_break)) out.append(gap.size(), '+');
    text.remove_prefix(gap.size());
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    out += word;
    text.remove_prefix(word.size());
  }
  return out;
}

// Nothing but the alphabet, and the padding at the end.
bool is_strict(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_base64);
}

// zlib's header before what is deflated, as some libraries write it. Nobody's deflated XML begins like that.
bool has_zlib_header(std::string_view bytes) {
  if (bytes.size() < 2) return false;
  const auto first = static_cast<unsigned char>(bytes[0]), second = static_cast<unsigned char>(bytes[1]);
  return first == 0x78 && (first << 8 | second) % 31 == 0;
}

struct Inflation {
  explicit Inflation(int window_bits) {
    if (inflateInit2(&stream, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflation() { inflateEnd(&stream); }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;
  z_stream stream{};
};

// "name=value" as it stands in the query.
std::optional<std::string_view> raw_parameter(std::string_view query, std::string_view name) {
  std::optional<std::string_view> found;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::string_view key = pair.substr(0, pair.find('='));
    if (key.find_first_of("%+") != std::string_view::npos) throw Refused("a part of the query with an encoded name");
    if (key != name) continue;
    if (found) throw Refused("a part of the query is there twice");
    found = pair;
  }
  return found;
}

}  // namespace

namespace {

std::string decoded(std::string_view message) {
  if (message.size() > most_message_bytes / 3 * 4 + most_message_bytes / 16) throw Refused("too long");
  const std::string text = repaired(message);
  if (!is_strict(text)) throw Refused("not base64");
  auto bytes = decode_base64(text);
  if (!bytes) throw Refused("not base64");
  if (bytes->size() > most_message_bytes) throw Refused("too long");
  return std::move(*bytes);
}

// The standard has 80 bytes; some identity providers put an address in it.
std::string checked_state(std::string relay_state) {
  if (relay_state.size() > most_state_bytes) throw Refused("a RelayState that is too long");
  return relay_state;
}

}  // namespace

std::string decode_posted(std::string_view message) {
  return std::string(ascii::trimmed(decoded(message), blanks));
}

std::string decode_redirected(std::string_view message) {
  std::string deflated = decoded(message), text(most_message_bytes, '\0');
  Inflation inflation(has_zlib_header(deflated) ? MAX_WBITS : -MAX_WBITS);
  z_stream& stream = inflation.stream;
  stream.next_in = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  if (inflate(&stream, Z_FINISH) != Z_STREAM_END) throw Refused("not deflated, or too long");
  text.resize(stream.total_out);
  return std::string(ascii::trimmed(text, blanks));
}

std::optional<SignedPart> signed_part(std::string_view query) {
  if (!raw_parameter(query, "Signature")) return std::nullopt;
  SignedPart part;
  for (const std::string_view name : {"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg"}) {
    if (const auto value = raw_parameter(query, name)) (part.text += part.text.empty() ? "" : "&") += *value;
  }
  part.method = query_parameter(query, "SigAlg").value_or("");
  part.signature = decoded(query_parameter(query, "Signature").value_or(""));
  return part;
}

Carried carried_by_query(std::string_view query, const char* name) {
  return {decode_redirected(query_parameter(query, name).value_or("")),
          checked_state(query_parameter(query, "RelayState").value_or("")), signed_part(query)};
}

Carried carried_by_form(std::string_view message, std::string_view relay_state) {
  return {decode_posted(message), checked_state(std::string(relay_state)), std::nullopt};
}

}  // namespace wazoauth::saml
