#include "wazoauth/tenant/tree.h"

namespace wazoauth {

std::string caller_tenant(Context& context) {
  const std::string user_uuid = context.token().user_uuid();
  if (user_uuid.empty()) return context.token().tenant_uuid();
  const Rows rows = context.db().run("context.user_tenant", {user_uuid});
  if (rows.empty()) throw problems::unknown("user", user_uuid);
  return rows.text(0, "tenant_uuid");
}

}  // namespace wazoauth
