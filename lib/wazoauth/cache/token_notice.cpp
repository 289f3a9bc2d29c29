#include "wazoauth/cache/token_notice.h"

#include "wazoauth/cache/token_store.h"

namespace wazoauth {

void apply(Zone& zone, const TokenNotice& notice) {
  if (!notice.revoked.empty()) zone.revoke(notice.revoked, unix_seconds());
  if (!notice.changed.empty()) zone.change(notice.changed, unix_seconds());
  if (notice.everything) zone.node().raise_epoch();
}

}  // namespace wazoauth
