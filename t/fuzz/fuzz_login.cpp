// Any bytes as an Authorization header, as the address of a client, as base64, as a text of unknown encoding.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/text.h"
#include "wazoauth/gate/forwarded.h"
#include "wazoauth/login/log_in.h"
#include "wazoauth/login/throttle.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_base64(std::string_view input) {
  // What was encoded comes back, also with line breaks and other rubbish in between.
  const std::string encoded = encode_base64(input);
  require(decode_base64(encoded) == std::string(input));
  std::string spread;
  for (const char c : encoded) (spread += c) += "\r\n -"[spread.size() % 5 % 4];
  require(decode_base64(spread) == std::string(input));
  // And whatever is decoded is what its own encoding says.
  if (const auto bytes = decode_base64(input)) {
    require(bytes->size() <= input.size() / 4 * 3 + 3);
    require(decode_base64(encode_base64(*bytes)) == bytes);
  }
}

void check_encodings(std::string_view input) {
  const std::string text = utf8_or_latin1(input), replaced = replace_invalid_utf8(input);
  require(is_utf8(text) && is_utf8(replaced));
  require((text == input) == is_utf8(input));
  require((replaced == input) == is_utf8(input));
  if (is_utf8(input)) {
    require(code_points(input) <= input.size());
  } else {
    require(code_points(text) == input.size());
  }
  require(is_utf8(fold_case(text)));
  require(fold_case(fold_case(text)) == fold_case(text));
  const std::string ascii = transliterate(text.substr(0, 200));
  require(std::all_of(ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  const std::string slug = make_slug(ascii, 10, true);
  require(slug.size() <= 10 && make_slug(slug, 10, true) == slug);
}

void check_login(std::string_view input) {
  if (const auto credentials = basic_credentials(input)) require(is_utf8(credentials->login));
  // Those of a header that is one: what stands before the first colon, and behind it.
  const auto credentials = basic_credentials("Basic " + encode_base64(input));
  const std::string text = utf8_or_latin1(input);
  const auto colon = text.find(':');
  const bool whole = colon != std::string::npos && colon > 0 && colon + 1 < text.size();
  require(credentials.has_value() == whole);
  if (whole) require(credentials->login == text.substr(0, colon) && credentials->password == text.substr(colon + 1));
}

void check_address(std::string_view input) {
  const auto address = gate::canonical_address(input);
  if (!address) return;
  require(address->find_first_not_of("0123456789abcdef:.") == std::string::npos);
  require(gate::canonical_address(*address) == address);
  require(gate::canonical_address("\"" + *address + "\" ") == address);
  const bool ipv6 = address->find(':') != std::string::npos;
  require(gate::canonical_address((ipv6 ? "[" + *address + "]" : *address) + ":65535") == address);
  if (!ipv6) require(gate::canonical_address("::ffff:" + *address) == address);
}

void check_throttle(std::string_view address, std::string_view login) {
  static std::vector<std::uint64_t> memory = [] {
    std::vector<std::uint64_t> fresh(gate::LoginThrottle::size / 8);
    gate::LoginThrottle::format(fresh.data());
    return fresh;
  }();
  static std::int64_t now = 1000000;
  gate::LoginThrottle throttle(memory.data());
  now += 1200000;  // what was before is forgotten
  for (int i = 0; i < 5; ++i) {
    auto guess = throttle.make_try(address, login, std::to_string(i));
    require(throttle.begin(guess, now) == 0);
    throttle.wrong(guess, now);
  }
  auto repeat = throttle.make_try(address, login, "4"), owner = throttle.make_try(address, login, "right");
  require(throttle.begin(repeat, now) == 0);
  require(throttle.begin(owner, now) == (login.empty() ? 0 : 500));
  throttle.right(owner);
  auto again = throttle.make_try(address, login, "right");
  require(throttle.begin(again, now) == 0);
  require(fold_loosely(fold_loosely(login)) == fold_loosely(login));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view head = input.substr(0, input.find('\n'));
  switch (data[0] % 5) {
    case 0:
      check_base64(input);
      break;
    case 1:
      check_encodings(input);
      break;
    case 2:
      check_login(input);
      break;
    case 3:
      check_address(input);
      break;
    default:
      check_throttle(head, utf8_or_latin1(input.substr(std::min(input.size(), head.size() + 1))));
      break;
  }
  return 0;
}
