#include "wazoauth/rest/master_tenant.h"

namespace wazoauth {

std::optional<std::string> MasterTenant::uuid(UnitOfWork& unit) {
  {
    const std::lock_guard lock(mutex_);
    if (uuid_) return uuid_;
  }
  const Rows rows = unit.run("context.master_tenant");
  if (rows.empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  uuid_ = rows.text(0, "uuid");
  return uuid_;
}

}  // namespace wazoauth
