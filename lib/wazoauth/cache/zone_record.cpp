#include "wazoauth/cache/zone_record.h"

#include <algorithm>
#include <array>
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
  user_is_auth_id = 32,  // user_uuid isn't repeated
  complete = 64,
};

enum Part { auth_id, user_uuid, tenant_uuid, session_uuid, refresh_token_uuid, parts };

constexpr std::size_t longest_part = sizeof(TokenFacts::auth_id) - 1;
static_assert(parts * longest_part <= sizeof(SlotBody::text));

constexpr unsigned char first_known = 0x80, first_fragment = 0x90, end_of_text = 0xfd, raw_byte = 0xfe, uuid = 0xff;

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
};
static_assert(first_fragment + std::size(fragments) <= end_of_text);

constexpr std::size_t uuid_size = 36;
constexpr bool is_dash(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool begins_with_uuid(std::string_view text) {
  if (text.size() < uuid_size) return false;
  for (std::size_t i = 0; i < uuid_size; ++i) {
    if (is_dash(i) ? text[i] != '-' : hex_value(text[i]) < 0) return false;
  }
  return true;
}

void append_packed_uuid(std::string& out, std::string_view text) {
  int high = -1;
  for (std::size_t i = 0; i < uuid_size; ++i) {
    if (is_dash(i)) continue;
    if (high < 0) {
      high = hex_value(text[i]);
    } else {
      out += static_cast<char>(high << 4 | hex_value(text[i]));
      high = -1;
    }
  }
}

void append_unpacked_uuid(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

// Packs and unpacks texts, one after the other; both sides have to learn the same known texts.
class Packing {
 public:
  void learn(std::string_view text) { known_.emplace_back(text); }

  void pack(std::string& out, std::string_view text) const {
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
    if (begins_with_uuid(text)) {
      out += static_cast<char>(uuid);
      append_packed_uuid(out, text);
      return uuid_size;
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
      if (packed.size() < 16) return false;
      append_unpacked_uuid(out, packed);
      packed.remove_prefix(16);
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

Packing packing_for(const std::array<std::string_view, parts>& facts) {
  Packing packing;
  for (const std::string_view fact : facts) packing.learn(fact);
  return packing;
}

std::string pack_rest(const TokenRecord& record, const std::array<std::string_view, parts>& facts) {
  std::string out;
  Packing packing = packing_for(facts);
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

bool unpack_rest(std::string_view packed, std::uint16_t flags, const std::array<std::string_view, parts>& facts,
                 TokenRecord& record) {
  Packing packing = packing_for(facts);
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

std::size_t facts_size(const SlotBody& body) {
  std::size_t size = 0;
  for (int part = 0; part < parts; ++part) size += body.sizes[part];
  return size;
}

std::array<std::string_view, parts> facts_texts(const SlotBody& body) {
  std::array<std::string_view, parts> texts;
  const char* at = body.text;
  for (int part = 0; part < parts; ++part) {
    texts[part] = {at, body.sizes[part]};
    at += body.sizes[part];
  }
  if ((body.flags & user_is_auth_id) != 0) texts[user_uuid] = texts[auth_id];
  return texts;
}

template <std::size_t size>
void copy_text(char (&to)[size], std::string_view text) {
  std::memcpy(to, text.data(), text.size());
}

std::uint16_t flags_of(const TokenRecord& record, bool same_user) {
  return static_cast<std::uint16_t>((record.issued_t ? has_issued : 0) | (record.expire_t ? has_expire : 0) |
                                    (record.pbx_user_uuid ? has_pbx_user : 0) | (record.xivo_uuid ? has_xivo : 0) |
                                    (record.refresh_token_uuid ? has_refresh_token : 0) |
                                    (same_user ? user_is_auth_id : 0));
}

}  // namespace

std::optional<SlotBody> pack(const TokenKey& key, const TokenRecord& record, BootTime now, std::uint32_t epoch) {
  const std::string user = record.user_uuid(), tenant = record.tenant_uuid();
  const std::string refresh_token = record.refresh_token_uuid.value_or("");
  const std::array<std::string_view, parts> facts = {record.auth_id, user, tenant, record.session_uuid, refresh_token};
  SlotBody body = {};
  body.key = key;
  body.expire_t = record.expire_t.value_or(0);
  body.validated_boot_ms = now.time_since_epoch().count();
  body.issued_t = record.issued_t.value_or(0);
  body.epoch = epoch;
  body.flags = flags_of(record, user == record.auth_id);

  std::string text;
  for (int part = 0; part < parts; ++part) {
    if (facts[part].size() > longest_part || facts[part].find('\0') != std::string_view::npos) return std::nullopt;
    if (part == user_uuid && (body.flags & user_is_auth_id) != 0) continue;
    body.sizes[part] = static_cast<std::uint8_t>(facts[part].size());
    text += facts[part];
  }
  const std::string rest = pack_rest(record, facts);
  if (text.size() + rest.size() <= sizeof body.text) {
    text += rest;
    body.flags |= complete;
  }
  body.text_size = static_cast<std::uint16_t>(text.size());
  std::memcpy(body.text, text.data(), text.size());
  return body;
}

std::size_t facts_words(const SlotBody& body) {
  for (int part = 0; part < parts; ++part) {
    if (body.sizes[part] > longest_part) return 0;
  }
  return fixed_words + (facts_size(body) + 7) / 8;
}

acl::Holder holder_of(const SlotBody& body) {
  const auto texts = facts_texts(body);
  return {texts[auth_id], texts[session_uuid]};
}

TokenFacts facts_of(const SlotBody& body) {
  const auto texts = facts_texts(body);
  TokenFacts facts;
  facts.expire_t = body.expire_t;
  facts.validated_at = BootTime(BootTime::duration(body.validated_boot_ms));
  facts.epoch = body.epoch;
  copy_text(facts.auth_id, texts[auth_id]);
  copy_text(facts.user_uuid, texts[user_uuid]);
  copy_text(facts.tenant_uuid, texts[tenant_uuid]);
  copy_text(facts.session_uuid, texts[session_uuid]);
  copy_text(facts.refresh_token_uuid, texts[refresh_token_uuid]);
  return facts;
}

std::optional<TokenRecord> record_of(const SlotBody& body) {
  const std::size_t begin = facts_size(body);
  if ((body.flags & complete) == 0 || body.text_size > sizeof body.text || begin > body.text_size) return std::nullopt;
  const auto texts = facts_texts(body);
  TokenRecord record;
  record.auth_id = texts[auth_id];
  record.session_uuid = texts[session_uuid];
  if ((body.flags & has_refresh_token) != 0) record.refresh_token_uuid = texts[refresh_token_uuid];
  if ((body.flags & has_issued) != 0) record.issued_t = body.issued_t;
  if ((body.flags & has_expire) != 0) record.expire_t = body.expire_t;
  const std::string_view rest(body.text + begin, body.text_size - begin);
  if (!unpack_rest(rest, body.flags, texts, record)) return std::nullopt;
  return record;
}

}  // namespace wazoauth::zone
