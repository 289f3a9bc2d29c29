// Any bytes as a request's target, query or forwarded address: what the gate makes of them holds for every reader of
// them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/log.h"
#include "wazoauth/base/mask.h"
#include "wazoauth/base/text.h"
#include "wazoauth/gate/forwarded.h"
#include "wazoauth/gate/target.h"
#include "wazoauth/http/http.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As an upstream decodes it: every escape, once.
std::string decoded(std::string_view raw) {
  std::string text;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool escape = raw[i] == '%' && i + 2 < raw.size() && hex_digit(raw[i + 1]) >= 0 && hex_digit(raw[i + 2]) >= 0;
    text += escape ? static_cast<char>(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2])) : raw[i];
    if (escape) i += 2;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// An unambiguous path has the same segments whether it is split first or decoded first, and none that moves.
void check_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  require(gate::unambiguous(target) == gate::unambiguous(path));
  if (!gate::unambiguous(target) || path.find('\0') != std::string_view::npos) return;  // nginx lets no NUL in
  const std::string whole = decoded(path);
  require(whole.find_first_of(std::string_view("\\\0", 2)) == std::string::npos);
  require(whole.find("//") == std::string::npos);
  const auto segments = split(path, '/'), of_whole = split(whole, '/');
  require(segments.size() == of_whole.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    require(decoded(segments[i]) == of_whole[i]);
    // Nor does it for who cuts off a segment's parameters, before or after decoding.
    const std::string name = split(of_whole[i], ';').front();
    require(name != "." && name != "..");
    require(!name.empty() || of_whole[i].empty());
  }
}

// What is appended is one word of an access, and nothing that means more than itself.
void check_value(std::string_view value) {
  std::string access = "confd.";
  if (!gate::append_value(access, value)) return;
  const std::string word = access.substr(6);
  require(word.size() == value.size() && !word.empty());
  require(word.find_first_of(".#*\n\r\x7f") == std::string::npos);
  std::string again = "confd.";
  require(gate::append_value(again, word) && again == access);
}

void check_query(std::string_view query, std::string_view name) {
  const auto values = query_parameters(query, name);
  const auto first = query_parameter(query, name);
  require(first.has_value() == !values.empty() && (!first || *first == values.front()));
  for (const std::string& value : values) require(is_utf8(value));
  const std::string stripped = gate::strip_parameter(query, name);
  require(stripped.size() <= query.size());
  require(query_parameters(stripped, name).empty());
  require(gate::strip_parameter(stripped, name) == stripped);
  // The others are as they were.
  for (const char* other : {"token", "a", ""}) {
    if (other != name) require(query_parameters(stripped, other) == query_parameters(query, other));
  }
}

// Somebody who names HTML and wants nothing else more gets it, whatever else the header has in front.
void check_accept(std::string_view accept) {
  Request request;
  request.headers.emplace_back("accept", std::string(accept));
  if (request.prefers_html()) require(accept.size() >= 9);
  request.headers.front().second += ",application/json,*/*,text/html";
  require(!request.prefers_html());
  request.headers.front().second += ",application/json;q=0,text/html;q=0.5";
  require(request.prefers_html());
}

void check_segment(std::string_view raw) {
  const std::string text = decode_segment(raw);
  require(is_utf8(text));
  if (raw.find('%') == std::string_view::npos && is_utf8(raw)) require(text == raw);
  if (raw.find('/') == std::string_view::npos) require(text.find('/') == std::string::npos);
}

constexpr std::string_view token = "d6ab24ef-3b5a-4d0c-9e51-7c1f8a90b2e4";

// A token somewhere in a request line is not there any more afterwards, wherever a token may stand.
void check_mask(std::string_view before, std::string_view after) {
  const std::vector<std::string> names = {"key", "access_token"};
  for (const std::string_view lead : {"/token/", "/token//", "/tok%65n/", "%2Ftoken%2f",
                                      "?token=", "&token=", "?TOKEN=", "?key=", "&%61ccess_token="}) {
    std::string line(before);
    line.append(lead).append(token);
    // What follows must end the segment or the value, or the token is a part of something else.
    line.append(lead.front() == '/' || lead.front() == '%' ? "/" : "&").append(after);
    const auto masked = gate::mask_tokens(line, names);
    require(masked.has_value());
    // Nor is any other part of it, but for the 8 characters that are shown.
    const auto copies = [](std::string_view text) {
      std::size_t count = 0;
      for (auto at = text.find(token); at != std::string_view::npos; at = text.find(token, at + 1)) ++count;
      return count;
    };
    require(copies(*masked) < copies(line));
  }
}

void check_masked_again(std::string_view line) {
  const auto masked = gate::mask_tokens(line, {"key"});
  if (!masked) return;
  const auto again = gate::mask_tokens(*masked, {"key"});
  require(again.value_or(*masked) == *masked);
}

void check_forwarded(std::string_view header) {
  const auto values = split(header, ',');
  require(!gate::forwarded_value(header, 0) && !gate::forwarded_value(header, -1));
  require(!gate::forwarded_value(header, static_cast<int>(values.size()) + 1));
  for (std::size_t n = 1; n <= values.size(); ++n) {
    std::string value = values[values.size() - n];
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.pop_back();
    value.erase(0, std::min(value.find_first_not_of(" \t"), value.size()));
    require(gate::forwarded_value(header, static_cast<int>(n)).value_or("") == value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view head = input.substr(0, input.find('\n'));
  const std::string_view tail = input.substr(std::min(input.size(), head.size() + 1));
  switch (data[0] % 6) {
    case 0:
      check_path(input);
      break;
    case 1:
      check_value(input);
      check_segment(input);
      break;
    case 2:
      check_query(input, "token");
      check_query(tail, head);
      check_accept(input);
      break;
    case 3:
      check_mask(head, tail);
      break;
    case 4:
      check_forwarded(input);
      break;
    default:
      check_masked_again(input);
      break;
  }
  return 0;
}
