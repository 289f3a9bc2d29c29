#include "wazoauth/store/token_notice.h"

#include <algorithm>
#include <charconv>

namespace wazoauth {

TokenNotice parse_token_notice(std::string_view payload) {
  TokenNotice notice;
  while (!payload.empty()) {
    std::string_view item = payload.substr(0, payload.find(','));
    payload.remove_prefix(std::min(payload.size(), item.size() + 1));
    if (item == "*") {
      notice.everything = true;
      continue;
    }
    if (item.starts_with('@')) {
      std::from_chars(item.data() + 1, item.data() + item.size(), notice.told_at);
      continue;
    }
    const bool changed = item.starts_with('~');
    if (changed) item.remove_prefix(1);
    const auto colon = item.find(':');
    const auto key = key_from_hex(item.substr(0, colon));
    if (!key) continue;
    std::int64_t expire_t = 0;
    if (colon != std::string_view::npos) std::from_chars(item.data() + colon + 1, item.data() + item.size(), expire_t);
    if (changed)
      notice.changed.push_back({*key, expire_t});
    else
      notice.revoked.push_back({*key, expire_t, item.ends_with('-')});
  }
  return notice;
}

}  // namespace wazoauth
