// Who is behind the changes of a transaction, for the audit log (sql/schema/0015_wazo_auth_audit.sql).
#pragma once

#include <string>

namespace wazoauth {

struct Actor {
  std::string user;  // as tokens have it; "" for who has shown no token
  std::string session_uuid, remote_addr, trace_id;

  // For the setting wazo_auth.actor, inside of quotes: whatever the members are, it has none.
  std::string text() const;
};

Actor this_server();  // what it does by itself

}  // namespace wazoauth
