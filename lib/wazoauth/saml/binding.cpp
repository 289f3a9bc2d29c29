#include "wazoauth/saml/binding.h"

#include <zlib.h>

#include <algorithm>

#include "wazoauth/base/text.h"
#include "wazoauth/http/http.h"

namespace wazoauth::saml {

namespace {

bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool is_line_break(char c) {
  return c == '\r' || c == '\n';
}

// Nothing but the alphabet, line breaks and the padding at the end.
bool is_strict(std::string_view text) {
  while (!text.empty() && (text.back() == '=' || is_line_break(text.back()))) text.remove_suffix(1);
  for (const char c : text) {
    if (!is_base64(c) && !is_line_break(c)) return false;
  }
  return !text.empty();
}

struct Inflation {
  Inflation() {
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
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

std::string decode_posted(std::string_view message) {
  if (message.size() > most_message_bytes / 3 * 4 + most_message_bytes / 16) throw Refused("too long");
  if (!is_strict(message)) throw Refused("not base64");
  const auto bytes = decode_base64(message);
  if (!bytes) throw Refused("not base64");
  if (bytes->size() > most_message_bytes) throw Refused("too long");
  return *bytes;
}

std::string decode_redirected(std::string_view message) {
  std::string deflated = decode_posted(message), text(most_message_bytes, '\0');
  Inflation inflation;
  z_stream& stream = inflation.stream;
  stream.next_in = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  if (inflate(&stream, Z_FINISH) != Z_STREAM_END) throw Refused("not deflated, or too long");
  text.resize(stream.total_out);
  return text;
}

std::optional<SignedPart> signed_part(std::string_view query) {
  if (!raw_parameter(query, "Signature")) return std::nullopt;
  SignedPart part;
  for (const std::string_view name : {"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg"}) {
    if (const auto value = raw_parameter(query, name)) (part.text += part.text.empty() ? "" : "&") += *value;
  }
  part.method = query_parameter(query, "SigAlg").value_or("");
  part.signature = decode_posted(query_parameter(query, "Signature").value_or(""));
  return part;
}

Carried carried_by_query(std::string_view query, const char* name) {
  return {decode_redirected(query_parameter(query, name).value_or("")),
          query_parameter(query, "RelayState").value_or(""), signed_part(query)};
}

Carried carried_by_form(std::string_view message, std::string relay_state) {
  return {decode_posted(message), std::move(relay_state), std::nullopt};
}

}  // namespace wazoauth::saml
