// Locks of users, tenants, clients, sessions and addresses: what they are, how they begin and how they end.
// docs/locks.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/http/problem.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::locks {

struct Key {
  std::string tenant_uuid;  // whose lock it is: it counts for what is in this tenant and below
  std::string kind, value;

  bool is_address() const { return kind == "address"; }
};

struct Terms {
  std::string reason;
  std::optional<std::int64_t> ends_t;  // Unix seconds; nullopt: when it is removed
};

// With the value in its one form. Throws 400 for a kind that there isn't, and for a value that is none of this kind.
Key make_key(std::string tenant_uuid, std::string_view kind, std::string_view value);

// The same for when it ends: 400 for no time, and for one that is over.
std::optional<std::int64_t> end_of(const Json& ends_at);

Problem unknown(const Key& key);  // 404 unknown-lock

// Makes or replaces a lock, with its event. Throws 404 for what isn't in its tenant, 409 when there are too many of
// addresses. From the commit on no token of what is locked is made; end_sessions() belongs in the same transaction.
void place(UnitOfWork& unit, const Key& key, const Terms& terms);

// The lock must be there. Throws 409 when it would end the session of who makes it, or holds their address.
struct Maker {
  std::string session_uuid, tenant_uuid, remote_addr;
};
void refuse_to_lock_out(UnitOfWork& unit, const Key& key, const Maker& maker);

// From the commit on all sessions that it locks are dead for everybody, for ever, even if the lock goes at once. Their
// rows go later: delete_sessions(). Some 10 µs for each.
void end_sessions(UnitOfWork& unit, const Key& key);

// Deletes some of the sessions that locks have ended, with their events. True: there may be more, in another
// transaction.
bool delete_sessions(UnitOfWork& unit);

Rows get(UnitOfWork& unit, const Key& key);     // throws 404
void remove(UnitOfWork& unit, const Key& key);  // with its event; throws 404

// Does end_sessions() of a lock that may have to end more since a tenant was moved. False: there is none.
bool end_moved(UnitOfWork& unit);

// What is left to do: locks that have ended go, with their events, and sessions that locks have ended. Any number of
// nginx may do it at once. Stops between two transactions when `keep_going` returns false. Throws Unavailable.
void clean_up(Database& database, const std::function<bool()>& keep_going);

}  // namespace wazoauth::locks
