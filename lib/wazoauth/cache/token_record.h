// One token: a row of auth_token, as the gate, the caches and the answers need it. The token's own
// uuid, the secret, is not part of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/store/token_key.h"

namespace wazoauth {

struct TokenRecord {
  std::string auth_id;  // user uuid or "wazo-auth"
  std::optional<std::string> pbx_user_uuid;
  std::optional<std::string> xivo_uuid;
  std::optional<std::int64_t> issued_t;  // Unix seconds
  std::optional<std::int64_t> expire_t;  // Unix seconds; nullopt or 0: never
  std::string metadata = "{}";           // JSON object, wire form
  std::string session_uuid;
  std::string session_tenant_uuid;  // of auth_session; not on the wire
  std::string user_agent;
  std::string remote_addr;
  std::vector<std::string> acl;  // in order, duplicates kept
  std::optional<std::string> refresh_token_uuid;

  bool expired(std::int64_t now) const { return expire_t && *expire_t != 0 && now > *expire_t; }
  std::string user_uuid() const;    // metadata.uuid, "" when absent
  std::string tenant_uuid() const;  // metadata.tenant_uuid, "" when absent
};

// The record as one JSON text (for Redis), and back; nullopt for anything that isn't one.
std::string encode(const TokenRecord& record);
std::optional<TokenRecord> decode(std::string_view text);

// The Token object of the API (docs/spec/endpoints.md section 2) in wire form, without enclosing {"data": ...}.
// `acl_json` is the access list as JSON text. Times are shown in local time and UTC (docs/spec/http-conventions.md
// section 10).
std::string token_json(std::string_view token, const TokenRecord& record, std::string_view acl_json);

}  // namespace wazoauth
