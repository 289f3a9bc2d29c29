// Notices of the triggers on auth_token: as the payload of a notification, in rows of the outbox, and at the
// end of the transaction that did it (the functions of sql/schema write the form).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "wazoauth/store/token_key.h"

namespace wazoauth {

struct Revocation {
  TokenKey key;
  std::int64_t expire_t;  // Unix seconds, 0: never. Of a changed row: the later one of old and new
  bool given_up = false;  // the token alone was deleted, its session was still there
};

struct TokenNotice {
  std::vector<Revocation> revoked;
  std::vector<Revocation> changed;  // the row was changed: it has to be read again
  bool everything = false;          // more than a notification can name
  std::int64_t told_at = 0;         // microseconds since 1970 by the database's clock; 0: it doesn't say

  bool empty() const { return revoked.empty() && changed.empty() && !everything; }
};

// Comma-separated items: "<hex key>:<expire_t>", with "~" in front when changed, with "-" behind when given up; "*" for
// everything, "@<microseconds>" for when it was told. Unreadable items are skipped.
TokenNotice parse_token_notice(std::string_view payload);

}  // namespace wazoauth
