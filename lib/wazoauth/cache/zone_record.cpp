#include "wazoauth/cache/zone_record.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

namespace wazoauth::zone {
namespace {

enum Flag : std::uint8_t {
  has_issued = 1,
  has_expire = 2,
  has_pbx_user = 4,
  has_xivo = 8,
  has_refresh_token = 16,
  complete = 32,
};

constexpr unsigned char first_known = 0x80, first_fragment = 0x90, address_4 = 0xfb, address_6 = 0xfc,
                        end_of_text = 0xfd, raw_byte = 0xfe, uuid = 0xff;

// Longer ones first where one begins like another.
constexpr std::string_view fragments[] = {
    "{\"uuid\": \"",
    "\", \"tenant_uuid\": \"",
    "\", \"auth_id\": \"",
    "\", \"pbx_user_uuid\": \"",
    "\", \"pbx_user_uuid\": null",
    "\", \"xivo_uuid\": \"",
    "\", \"xivo_uuid\": null",
    ", \"xivo_uuid\": null",
    ", \"xivo_uuid\": \"",
    "\", \"purpose\": \"user\"",
    ", \"purpose\": \"user\"",
    "\", \"purpose\": \"internal\"",
    ", \"purpose\": \"internal\"",
    "\", \"purpose\": \"external_api\"",
    ", \"purpose\": \"external_api\"",
    ", \"admin\": false",
    ", \"admin\": true",
    "Mozilla/5.0 (",
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X ",
    "X11; Linux x86_64",
    "AppleWebKit/537.36 (KHTML, like Gecko) ",
    "AppleWebKit/605.1.15 (KHTML, like Gecko) ",
    "Chrome/",
    " Safari/537.36",
    " Safari/605.1.15",
    " Gecko/20100101 Firefox/",
    "python-requests/",
    ".0.0.0",
    " Edg/",
};
static_assert(first_fragment + std::size(fragments) <= address_4);

// The bytes of an IP address that is written as inet_ntop() does, "" for anything else; and back.
std::string packed_address(std::string_view text) {
  const std::string given(text);
  const int family = given.find(':') == std::string::npos ? AF_INET : AF_INET6;
  std::string bytes(family == AF_INET ? 4 : 16, '\0');
  char again[INET6_ADDRSTRLEN];
  const bool same = inet_pton(family, given.c_str(), bytes.data()) == 1 &&
                    inet_ntop(family, bytes.data(), again, sizeof again) && given == again;
  return same ? bytes : "";
}

std::string unpacked_address(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text) ? text : "";
}

// Packs and unpacks texts, one after the other; both sides have to learn the same known texts.
class Packing {
 public:
  void learn(std::string_view text) { known_.emplace_back(text); }

  void pack(std::string& out, std::string_view text) const {
    if (const std::string address = packed_address(text); !address.empty()) {
      out += static_cast<char>(address.size() == 4 ? address_4 : address_6);
      out += address;
      text = {};
    }
    while (!text.empty()) text.remove_prefix(pack_some(out, text));
    out += static_cast<char>(end_of_text);
  }

  // Removes one text from `packed`. False: it isn't one.
  bool unpack(std::string& out, std::string_view& packed) const {
    while (!packed.empty()) {
      const auto code = static_cast<unsigned char>(packed.front());
      packed.remove_prefix(1);
      if (code == end_of_text) return true;
      if (!unpack_one(out, code, packed)) return false;
    }
    return false;
  }

 private:
  std::size_t pack_some(std::string& out, std::string_view text) const {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].size() < 2 || !text.starts_with(known_[i])) continue;
      out += static_cast<char>(first_known + i);
      return known_[i].size();
    }
    if (char bytes[uuid_bytes]; pack_uuid(text.substr(0, uuid_chars), bytes)) {
      out += static_cast<char>(uuid);
      out.append(bytes, sizeof bytes);
      return uuid_chars;
    }
    for (std::size_t i = 0; i < std::size(fragments); ++i) {
      if (!text.starts_with(fragments[i])) continue;
      out += static_cast<char>(first_fragment + i);
      return fragments[i].size();
    }
    if (static_cast<unsigned char>(text.front()) >= first_known) out += static_cast<char>(raw_byte);
    out += text.front();
    return 1;
  }

  bool unpack_one(std::string& out, unsigned char code, std::string_view& packed) const {
    if (code < first_known) {
      out += static_cast<char>(code);
    } else if (code == raw_byte) {
      if (packed.empty()) return false;
      out += packed.front();
      packed.remove_prefix(1);
    } else if (code == uuid) {
      if (packed.size() < uuid_bytes) return false;
      char text[uuid_chars];
      unpack_uuid(packed.data(), text);
      out.append(text, sizeof text);
      packed.remove_prefix(uuid_bytes);
    } else if (code == address_4 || code == address_6) {
      const std::size_t size = code == address_4 ? 4 : 16;
      if (packed.size() < size) return false;
      out += unpacked_address(packed.substr(0, size));
      packed.remove_prefix(size);
    } else if (code < first_fragment) {
      if (code - first_known >= static_cast<int>(known_.size())) return false;
      out += known_[code - first_known];
    } else {
      if (code - first_fragment >= static_cast<int>(std::size(fragments))) return false;
      out += fragments[code - first_fragment];
    }
    return true;
  }

  std::vector<std::string> known_;
};

std::string text_of(const PackedFacts& known, Fact fact) {
  const FactText text = known.get(fact);
  return std::string(text.view());
}

Packing packing_for(const PackedFacts& known) {
  Packing packing;
  for (unsigned fact = 0; fact < facts; ++fact) packing.learn(text_of(known, static_cast<Fact>(fact)));
  return packing;
}

std::string pack_rest(const TokenRecord& record, const PackedFacts& known) {
  std::string out;
  Packing packing = packing_for(known);
  for (const auto& optional : {record.pbx_user_uuid, record.xivo_uuid}) {
    packing.pack(out, optional.value_or(""));
    packing.learn(optional.value_or(""));
  }
  packing.pack(out, record.session_tenant_uuid);
  packing.pack(out, record.user_agent);
  packing.pack(out, record.remote_addr);
  packing.pack(out, record.metadata);
  return out;
}

bool unpack_rest(std::string_view packed, std::uint8_t flags, const PackedFacts& known, TokenRecord& record) {
  Packing packing = packing_for(known);
  std::string pbx_user, xivo;
  if (!packing.unpack(pbx_user, packed)) return false;
  packing.learn(pbx_user);
  if (!packing.unpack(xivo, packed)) return false;
  packing.learn(xivo);
  if ((flags & has_pbx_user) != 0) record.pbx_user_uuid = pbx_user;
  if ((flags & has_xivo) != 0) record.xivo_uuid = xivo;
  record.metadata.clear();
  return packing.unpack(record.session_tenant_uuid, packed) && packing.unpack(record.user_agent, packed) &&
         packing.unpack(record.remote_addr, packed) && packing.unpack(record.metadata, packed);
}

std::uint8_t flags_of(const TokenRecord& record) {
  return static_cast<std::uint8_t>((record.issued_t ? has_issued : 0) | (record.expire_t ? has_expire : 0) |
                                   (record.pbx_user_uuid ? has_pbx_user : 0) | (record.xivo_uuid ? has_xivo : 0) |
                                   (record.refresh_token_uuid ? has_refresh_token : 0));
}

bool fits(std::int64_t issued_t) {
  return issued_t >= 0 && issued_t <= std::numeric_limits<std::uint32_t>::max();
}

}  // namespace

std::optional<SlotBody> pack(const SlotKey& key, const TokenKey& token, const TokenRecord& record, BootTime now,
                             std::uint32_t epoch) {
  TokenFacts known;
  if (!known.add(Fact::auth_id, record.auth_id) || !known.add(Fact::user_uuid, record.user_uuid()) ||
      !known.add(Fact::tenant_uuid, record.tenant_uuid()) || !known.add(Fact::session_uuid, record.session_uuid) ||
      !known.add(Fact::refresh_token_uuid, record.refresh_token_uuid.value_or("")) ||
      known.size > sizeof(SlotBody::text))
    return std::nullopt;
  SlotBody body = {};
  body.key = key;
  std::memcpy(body.digest, token.data(), sizeof body.digest);
  body.expire_t = record.expire_t.value_or(0);
  body.validated_boot_ms = now.time_since_epoch().count();
  body.epoch = epoch;
  body.shapes = known.shapes;
  body.flags = flags_of(record);

  std::string text(known.bytes, known.size);
  const std::string rest = pack_rest(record, known.packed());
  const std::int64_t issued_t = record.issued_t.value_or(0);
  if (text.size() + rest.size() <= sizeof body.text && fits(issued_t)) {
    text += rest;
    body.issued_t = static_cast<std::uint32_t>(issued_t);
    body.flags |= complete;
  }
  body.text_size = static_cast<std::uint8_t>(text.size());
  std::memcpy(body.text, text.data(), text.size());
  return body;
}

// The size of a fact that is no UUID lies among the facts.
std::size_t facts_words(const SlotBody& body) {
  constexpr unsigned low_bits = 0x155;
  static_assert(PackedFacts::text == 3 && PackedFacts::uuid == 1 && PackedFacts::same == 2);
  if ((body.shapes & body.shapes >> 1 & low_bits) != 0) return Slot::words;
  return (offsetof(SlotBody, text) + packed_facts(body).size(sizeof body.text) + 7) / 8;
}

void copy_facts(const SlotBody& body, TokenFacts& facts) {
  facts.expire_t = body.expire_t;
  facts.validated_at = BootTime(BootTime::duration(body.validated_boot_ms));
  facts.epoch = body.epoch;
  facts.shapes = body.shapes;
  facts.size = static_cast<std::uint16_t>(packed_facts(body).size(sizeof body.text));
  std::memcpy(facts.bytes, body.text, facts.size);
}

std::optional<TokenRecord> record_of(const SlotBody& body) {
  const PackedFacts known = packed_facts(body);
  const std::size_t begin = known.size(sizeof body.text);
  if ((body.flags & complete) == 0 || body.text_size > sizeof body.text || begin > body.text_size) return std::nullopt;
  TokenRecord record;
  record.auth_id = text_of(known, Fact::auth_id);
  record.session_uuid = text_of(known, Fact::session_uuid);
  if ((body.flags & has_refresh_token) != 0) record.refresh_token_uuid = text_of(known, Fact::refresh_token_uuid);
  if ((body.flags & has_issued) != 0) record.issued_t = body.issued_t;
  if ((body.flags & has_expire) != 0) record.expire_t = body.expire_t;
  const std::string_view rest(body.text + begin, body.text_size - begin);
  if (!unpack_rest(rest, body.flags, known, record)) return std::nullopt;
  return record;
}

}  // namespace wazoauth::zone
