#include "wazoauth/cache/load.h"

#include "wazoauth/base/json.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

// The column is a varchar(38): what is longer, or no text, can't be there, and PostgreSQL would refuse to compare it.
bool can_be_stored(std::string_view token) {
  return !token.empty() && token.size() <= 38 && token.find('\0') == std::string_view::npos && is_utf8(token);
}

std::optional<std::int64_t> time_of(const Rows& rows, std::string_view column) {
  const auto seconds = rows.optional_integer(0, column);
  return seconds && *seconds == 0 ? std::nullopt : seconds;
}

}  // namespace

std::optional<TokenRecord> load_token(UnitOfWork& unit, std::string_view token) {
  if (!can_be_stored(token)) return std::nullopt;
  const Rows rows = unit.run("tokens.load", {token});
  if (rows.empty()) return std::nullopt;
  TokenRecord record;
  record.auth_id = rows.text(0, "auth_id");
  record.pbx_user_uuid = rows.optional_text(0, "pbx_user_uuid");
  record.xivo_uuid = rows.optional_text(0, "xivo_uuid");
  record.issued_t = time_of(rows, "issued_t");
  record.expire_t = time_of(rows, "expire_t");
  const Json metadata = rows.json(0, "metadata");
  if (metadata.is_object()) record.metadata = metadata.dump();
  record.session_uuid = rows.text(0, "session_uuid");
  record.session_tenant_uuid = rows.text(0, "session_tenant_uuid");
  record.user_agent = rows.text(0, "user_agent");
  record.remote_addr = rows.text(0, "remote_addr");
  record.acl = rows.texts(0, "acl");
  record.refresh_token_uuid = rows.optional_text(0, "refresh_token_uuid");
  return record;
}

}  // namespace wazoauth
