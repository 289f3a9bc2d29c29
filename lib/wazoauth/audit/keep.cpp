#include "wazoauth/audit/keep.h"

namespace wazoauth::audit {

void enable(Database& database, bool enabled) {
  UnitOfWork unit(database);
  unit.run("audit.enable", {enabled});
  unit.commit();
}

void keep(Database& database, const Settings& settings) {
  UnitOfWork partitions(database);
  partitions.run("audit.keep", {settings.audit_retention_days});
  partitions.commit();
  UnitOfWork logins(database);
  logins.run("audit.settle_failed_logins");
  logins.commit();
}

}  // namespace wazoauth::audit
