#include "wazoauth/session/session_rules.h"

#include "wazoauth/http/problem.h"
#include "wazoauth/store/event.h"

namespace wazoauth {

namespace {
void tell_of_deleted(UnitOfWork& unit, const Rows& sessions) {
  for (std::size_t row = 0; row < sessions.size(); ++row) {
    if (sessions.is_null(row, "auth_id")) continue;
    unit.publish(events::session_deleted(sessions.text(row, "uuid"), sessions.text(row, "tenant_uuid"),
                                         sessions.text(row, "auth_id")));
  }
}
}  // namespace

void delete_session(UnitOfWork& unit, const std::string& session_uuid, const std::string& tenant_uuid) {
  tell_of_deleted(unit, unit.run("sessions.delete", {session_uuid, tenant_uuid}));
}

void delete_sessions_of_user(UnitOfWork& unit, const std::string& user_uuid) {
  tell_of_deleted(unit, unit.run("sessions.delete_of_user", {user_uuid}));
}

std::string tenant_of_user(UnitOfWork& unit, const std::string& user_uuid, const std::string& scoping_tenant_uuid) {
  const Rows rows = unit.run("sessions.tenant_of_user", {user_uuid, scoping_tenant_uuid});
  if (rows.empty()) throw problems::unknown("user", user_uuid);
  return rows.text(0, "tenant_uuid");
}

}  // namespace wazoauth
