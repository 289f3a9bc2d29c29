#include "wazoauth/lock/locks.h"

#include <algorithm>
#include <array>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/base/ip_prefix.h"
#include "wazoauth/base/iso_time.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/http/schema.h"
#include "wazoauth/store/event.h"

namespace wazoauth::locks {

namespace {

constexpr std::array<std::string_view, 5> kinds{"user", "tenant", "client", "session", "address"};
constexpr std::int64_t sessions_at_once = 1000, addresses_of_a_tenant = 256, addresses_of_all = AddressLocks::capacity;
constexpr std::size_t longest_client = 1024;

[[noreturn]] void invalid(std::string_view field, std::string_view message, std::string_view constraint_id,
                          Json constraint) {
  throw problems::invalid_data(
      message, Json::object({{field, check_object(message, constraint_id, std::move(constraint))}}), "locks");
}

std::string canonical_value(std::string_view kind, std::string_view value) {
  if (kind == "address") {
    const auto prefix = parse_prefix(value);
    if (!prefix) invalid("value", "Not an address prefix in CIDR notation, such as 192.0.2.0/24", "type", "cidr");
    return prefix->text();
  }
  if (kind == "client") {
    if (value.size() > longest_client) invalid("value", "Longer than maximum length 1024.", "length", 1024);
    return std::string(value);
  }
  if (!is_uuid(value)) invalid("value", "Not a valid UUID.", "type", "uuid");
  return ascii::lower(value);
}

Event event_of(const Rows& row, std::string_view what) {
  return events::lock(what, row.text(0, "tenant_uuid"), row.text(0, "kind"), row.text(0, "value"),
                      row.text(0, "reason"), row.optional_text(0, "ends_at"));
}

Problem too_many(std::int64_t limit, std::string_view of) {
  return Problem::with_error_id(
      409, "too-many-address-locks",
      "There are too many locks of addresses: the limit of " + std::string(of) + " is " + std::to_string(limit),
      Json::object({{"limit", limit}, {"of", of}}), "locks");
}

Problem locks_out_caller(const Key& key) {
  return Problem::with_error_id(409, "locks-out-caller", "The lock would end the session of who makes it",
                                Json::object({{"kind", key.kind}, {"value", key.value}}), "locks");
}

void delete_ended(UnitOfWork& unit, const Param& tenant, const Param& kind, const Param& value) {
  const Rows ended = unit.run("locks.delete_ended", {tenant, kind, value});
  for (std::size_t i = 0; i < ended.size(); ++i)
    unit.publish(events::lock("deleted", ended.text(i, "tenant_uuid"), ended.text(i, "kind"), ended.text(i, "value"),
                              ended.text(i, "reason"), ended.optional_text(i, "ends_at")));
}

}  // namespace

Key make_key(std::string tenant_uuid, std::string_view kind, std::string_view value) {
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
    invalid("kind", "Not a valid choice.", "enum", Json::array({"user", "tenant", "client", "session", "address"}));
  return {std::move(tenant_uuid), std::string(kind), canonical_value(kind, value)};
}

std::optional<std::int64_t> end_of(const Json& ends_at) {
  if (ends_at.is_null()) return std::nullopt;
  const auto time = ends_at.is_string() ? parse_iso_time(ends_at.text()) : std::nullopt;
  if (!time) invalid("ends_at", "Not a valid datetime.", "type", "datetime");
  if (*time <= unix_seconds()) invalid("ends_at", "Not in the future.", "range", Json::object({{"min", "now"}}));
  return time;
}

Problem unknown(const Key& key) {
  return Problem::with_error_id(404, "unknown-lock", "No such lock: \"" + key.kind + "/" + key.value + "\"",
                                Json::object({{"kind", key.kind}, {"value", key.value}}), "locks");
}

void place(UnitOfWork& unit, const Key& key, const Terms& terms) {
  unit.run("locks.hold");
  delete_ended(unit, key.tenant_uuid, key.kind, key.value);
  const bool fresh = unit.run("locks.get", {key.tenant_uuid, key.kind, key.value}).empty();
  if (fresh && !unit.run("locks.target_visible", {key.kind, key.value, key.tenant_uuid}).boolean(0, "visible"))
    throw problems::unknown(key.kind, key.value);
  if (fresh && key.is_address()) {
    const Rows count = unit.run("locks.count_addresses", {key.tenant_uuid});
    if (count.integer(0, "own") >= addresses_of_a_tenant) throw too_many(addresses_of_a_tenant, "tenant");
    if (count.integer(0, "all") >= addresses_of_all) throw too_many(addresses_of_all, "all tenants");
  }
  unit.run("locks.place", {key.tenant_uuid, key.kind, key.value, terms.reason, terms.ends_t});
  unit.publish(event_of(get(unit, key), fresh ? "created" : "updated"));
}

void refuse_to_lock_out(UnitOfWork& unit, const Key& key, const Maker& maker) {
  const Rows ends = unit.run("locks.ends_session", {key.tenant_uuid, key.kind, key.value, maker.session_uuid});
  if (ends.boolean(0, "yes")) throw locks_out_caller(key);
  if (!key.is_address()) return;
  const auto address = parse_address(maker.remote_addr);
  if (!address || !parse_prefix(key.value)->contains(*address)) return;
  if (unit.run("context.in_subtree", {maker.tenant_uuid, key.tenant_uuid}).boolean(0, "inside"))
    throw locks_out_caller(key);
}

void end_sessions(UnitOfWork& unit, const Key& key) {
  unit.run("locks.end_sessions", {key.tenant_uuid, key.kind, key.value});
  unit.run("locks.revoked", {key.tenant_uuid, key.kind, key.value});
}

bool delete_sessions(UnitOfWork& unit) {
  const Rows ended = unit.run("locks.delete_sessions", {sessions_at_once});
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (ended.is_null(i, "uuid") || ended.is_null(i, "auth_id")) continue;
    unit.publish(
        events::session_deleted(ended.text(i, "uuid"), ended.text(i, "tenant_uuid"), ended.text(i, "auth_id")));
  }
  return ended.integer(0, "found") >= sessions_at_once;
}

Rows get(UnitOfWork& unit, const Key& key) {
  Rows rows = unit.run("locks.get", {key.tenant_uuid, key.kind, key.value});
  if (rows.empty()) throw unknown(key);
  return rows;
}

void remove(UnitOfWork& unit, const Key& key) {
  unit.run("locks.hold");
  const Rows removed = unit.run("locks.delete", {key.tenant_uuid, key.kind, key.value});
  if (removed.empty()) throw unknown(key);
  unit.publish(event_of(removed, "deleted"));
}

bool end_moved(UnitOfWork& unit) {
  unit.run("locks.hold");
  const Rows rows = unit.run("locks.next_revoking");
  if (rows.empty()) return false;
  end_sessions(unit, {rows.text(0, "tenant_uuid"), rows.text(0, "kind"), rows.text(0, "value")});
  return true;
}

void clean_up(Database& database, const std::function<bool()>& keep_going) {
  const Rows work = UnitOfWork(database, Mode::read_only).run("locks.work");
  if (work.boolean(0, "ended")) {
    UnitOfWork unit(database);
    unit.run("locks.hold");
    delete_ended(unit, nullptr, nullptr, nullptr);
    unit.commit();
  }
  for (bool more = work.boolean(0, "moved"); more && keep_going();) {
    UnitOfWork unit(database);
    more = end_moved(unit);
    unit.commit();
  }
  // Without work it stays away from wazo-auth's own tables, which somebody may have locked.
  for (bool more = work.boolean(0, "moved") || work.boolean(0, "dead"); more && keep_going();) {
    UnitOfWork unit(database);
    more = delete_sessions(unit);
    unit.commit();
  }
}

}  // namespace wazoauth::locks
