// Token records as they lie in Redis and in the zone, and the notice of their deaths: what was written is read, and
// what somebody else wrote does no harm.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/text.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/cache/zone_record.h"
#include "wazoauth/store/token_notice.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const char c = bytes_.front();
    bytes_.remove_prefix(1);
    return static_cast<std::uint8_t>(c);
  }
  std::int64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<std::int64_t>(value);
  }
  std::string text() {
    const std::size_t size = std::min<std::size_t>(byte(), bytes_.size());
    const std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return utf8_or_latin1(text);
  }
  bool empty() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

TokenRecord make_record(Input& input) {
  static const std::string uuid = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
  const auto text = [&] { return input.byte() % 3 == 0 ? uuid : input.text(); };
  const auto optional = [&] { return input.byte() % 4 == 0 ? std::nullopt : std::optional(text()); };
  const auto time = [&] { return input.byte() % 4 == 0 ? std::nullopt : std::optional(input.number()); };
  TokenRecord record;
  record.auth_id = text();
  record.pbx_user_uuid = optional();
  record.xivo_uuid = optional();
  record.issued_t = time();
  record.expire_t = time();
  record.metadata = Json::object({{"uuid", text()}, {"tenant_uuid", optional()}, {input.text(), text()}}).dump();
  record.session_uuid = text();
  record.session_tenant_uuid = text();
  record.user_agent = text();
  record.remote_addr = text();
  for (int count = input.byte() % 4; count > 0; --count) record.acl.push_back(text());
  record.refresh_token_uuid = optional();
  return record;
}

void check_shown(const TokenRecord& record) {
  const std::string shown = token_json("secret", record, Json::strings(record.acl).dump());
  const auto tree = Json::parse(shown);
  require(tree && tree->is_object());
  require(tree->get("auth_id") == Json(record.auth_id) && tree->get("user_agent") == Json(record.user_agent));
  require(tree->get("acl") == Json::strings(record.acl));
}

void check_text(std::string_view text) {
  const auto record = decode(text);
  if (!record) return;
  const std::string encoded = encode(*record);
  const auto again = decode(encoded);
  require(again && encode(*again) == encoded);
  check_shown(*record);
}

void check_made(Input input) {
  const TokenRecord record = make_record(input);
  const std::string encoded = encode(record);
  const auto decoded = decode(encoded);
  require(decoded && encode(*decoded) == encoded);
  require(decoded->user_uuid() == record.user_uuid() && decoded->tenant_uuid() == record.tenant_uuid());
  check_shown(record);
  // No part of it is a record.
  require(!decode(encoded.substr(0, input.number() % encoded.size())));
}

void check_slot(Input input) {
  TokenRecord record = make_record(input);
  auto body = zone::pack({1, 2}, token_key("secret"), record, BootTime(std::chrono::milliseconds(input.number())), 1);
  if (!body) return;
  require(zone::facts_words(*body) <= zone::Slot::words);
  if (const auto unpacked = zone::record_of(*body)) {
    record.acl.clear();  // the list is not in the slot
    TokenRecord found = *unpacked;
    found.acl.clear();
    require(encode(found) == encode(record));
  }
  // The same with bytes replaced, as a writer in the middle of its work leaves them.
  auto* const bytes = reinterpret_cast<unsigned char*>(&*body);
  while (!input.empty()) {
    const std::size_t at = input.byte() | input.byte() << 8;
    bytes[at % sizeof *body] = input.byte();
  }
  if (zone::packed_facts(*body).size(sizeof body->text) == PackedFacts::senseless) return;
  TokenFacts facts;
  zone::copy_facts(*body, facts);
  zone::record_of(*body);
}

std::string as_payload(const TokenNotice& notice) {
  std::string payload = notice.everything ? "*" : "";
  const auto append = [&payload](std::string_view mark, const Revocation& revocation) {
    (payload += payload.empty() ? "" : ",").append(mark).append(to_hex(revocation.key));
    payload += ":" + std::to_string(revocation.expire_t) + (revocation.given_up ? "-" : "");
  };
  for (const auto& death : notice.revoked) append("", death);
  for (const auto& change : notice.changed) append("~", change);
  return payload;
}

void check_payload(std::string_view payload) {
  const TokenNotice notice = parse_token_notice(payload);
  const auto commas = static_cast<std::size_t>(std::count(payload.begin(), payload.end(), ','));
  require(notice.revoked.size() + notice.changed.size() <= commas + 1);
  const TokenNotice again = parse_token_notice(as_payload(notice));
  require(as_payload(again) == as_payload(notice));
}

// Whatever stands between them, well-formed items arrive.
void check_notice(Input input) {
  std::string payload;
  std::size_t dead = 0, changed = 0;
  for (int i = 0; i < 6 && !input.empty(); ++i) {
    const std::int64_t expire_t = input.number();
    const std::string item = to_hex(token_key(std::to_string(i))) + ":" + std::to_string(expire_t);
    const bool change = input.byte() % 2 != 0;
    ++(change ? changed : dead);
    payload += (change ? "~" : "") + item + ",";
    std::string rubbish = input.text().substr(0, 30);  // too short for another item
    std::erase(rubbish, ',');
    if (rubbish != "*") payload += rubbish + ",";
    const TokenNotice notice = parse_token_notice(payload);
    require(notice.revoked.size() == dead && notice.changed.size() == changed && !notice.everything);
    require((change ? notice.changed : notice.revoked).back().expire_t == expire_t);
  }
  require(parse_token_notice(payload + "*").everything);
}

void check_hex(std::string_view text) {
  if (const auto key = key_from_hex(text)) require(to_hex(*key) == text);
  TokenKey key{};
  std::memcpy(key.data(), text.data(), std::min(text.size(), key.size()));
  require(key_from_hex(to_hex(key)) == key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      check_text(input);
      break;
    case 1:
      check_made(Input(input));
      break;
    case 2:
      check_slot(Input(input));
      break;
    case 3:
      check_payload(input);
      break;
    case 4:
      check_notice(Input(input));
      break;
    default:
      check_hex(input);
      break;
  }
  return 0;
}
