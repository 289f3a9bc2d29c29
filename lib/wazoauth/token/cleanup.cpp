#include "wazoauth/token/cleanup.h"

#include "wazoauth/base/log.h"
#include "wazoauth/store/event.h"

namespace wazoauth {

namespace {

constexpr std::int64_t expiring_batch = 1000;

std::string tenant_of(const Rows& rows, std::size_t row) {
  return rows.json(row, "metadata").text_or("tenant_uuid", "");
}

}  // namespace

std::int64_t clean_expired(Database& database, std::int64_t now, std::int64_t batch,
                           const std::function<bool()>& keep_going) {
  std::int64_t total = 0;
  for (std::int64_t cleaned = batch; cleaned == batch && keep_going(); total += cleaned) {
    UnitOfWork unit(database);
    const Rows rows = unit.run("tokens.purge", {now, batch});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows.is_null(i, "session_uuid")) continue;
      const std::string tenant = tenant_of(rows, i);
      if (tenant.empty())
        log::warning("session " + rows.text(i, "session_uuid") + " ended; it has no tenant, so no event is published");
      else
        unit.publish(events::session_deleted(rows.text(i, "session_uuid"), tenant, rows.text(i, "auth_id")));
    }
    unit.commit();
    cleaned = static_cast<std::int64_t>(rows.size());
  }
  return total;
}

void announce_expiring(Database& database, std::int64_t now, std::int64_t interval,
                       const std::function<bool()>& keep_going) {
  std::int64_t after_expiry = 0;
  std::string after_token;
  for (std::int64_t seen = expiring_batch; seen == expiring_batch && keep_going();) {
    UnitOfWork unit(database);
    const Rows rows = unit.run("tokens.expiring", {now, now + interval, after_expiry, after_token, expiring_batch});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      after_expiry = rows.integer(i, "expire_t");
      after_token = rows.text(i, "uuid");
      const std::string tenant = tenant_of(rows, i);
      if (!tenant.empty())
        unit.publish(events::session_expire_soon(rows.text(i, "session_uuid"), tenant, rows.text(i, "auth_id")));
    }
    unit.commit();
    seen = static_cast<std::int64_t>(rows.size());
  }
}

}  // namespace wazoauth
