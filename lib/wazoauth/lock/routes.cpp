#include "wazoauth/lock/routes.h"

#include "wazoauth/base/text.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/lock/locks.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& lock_shape() {
  static const auto lock = shape("Lock", {{.name = "uuid", .type = Type::uuid},
                                          {.name = "kind"},
                                          {.name = "value"},
                                          {.name = "tenant_uuid", .type = Type::uuid},
                                          {.name = "reason"},
                                          {.name = "created_at"},
                                          {.name = "ends_at", .nullable = true}});
  return lock;
}

Schema lock_body() {
  return {{{.name = "reason", .nullable = true, .fallback = Json(""), .max_length = 1024},
           {.name = "ends_at", .nullable = true, .fallback = Json(), .format = "date-time"}},
          {},
          "LockRequest"};
}

// The router leaves an encoded slash as it is.
locks::Key key_of(Context& context) {
  std::string value = context.param("value");
  replace_all(value, "%2F", "/");
  replace_all(value, "%2f", "/");
  return locks::make_key(context.tenant(), context.param("kind"), value);
}

// The only kind whose value has a slash in it. Whoever can't write it as %2F writes it as it is.
locks::Key prefix_of(Context& context) {
  return locks::make_key(context.tenant(), "address", context.param("address") + "/" + context.param("prefix_length"));
}

// What has been committed counts here before the client has its answer; other nginx hear the notification.
void tell_gate(const Context& context, const locks::Key& key) {
  if (key.is_address() && context.services.address_locks)
    context.services.address_locks->refresh(context.services.database);
}

Step put_lock(Context& context, const locks::Key& key) {
  const Json body = context.valid_body();
  const locks::Terms terms{body.text_or("reason", ""), locks::end_of(body.get("ends_at"))};
  locks::place(context.db(), key, terms);
  locks::refuse_to_lock_out(context.db(), key,
                            {context.token().session_uuid, context.token().tenant_uuid(), context.request.remote_addr});
  locks::end_sessions(context.db(), key);
  return Step::then(Lane::database, [key](Context& next) {
    tell_gate(next, key);
    return Step(row_response(locks::get(next.db(), key), *lock_shape()));
  });
}

Step get_lock(Context& context, const locks::Key& key) {
  return row_response(locks::get(context.db(), key), *lock_shape());
}

Step delete_lock(Context& context, const locks::Key& key) {
  locks::remove(context.db(), key);
  return Step::then(Lane::database, [key](Context& next) {
    tell_gate(next, key);
    return Step(Response::no_content());
  });
}

Step list_locks(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  ListStatement statement("locks", "l", "l.tenant_uuid", query);
  statement.of_tenant(context, tenant, query.recurse).scoped("locks.of_live", nullptr).filtered_by_columns(context);
  return statement.answer(context, *lock_shape());
}

using Work = Step (*)(Context&, const locks::Key&);
using KeyOf = locks::Key (*)(Context&);
Handler handler(Work work, KeyOf key) {
  return [work, key](Context& context) { return work(context, key(context)); };
}

void add_single(RouteFamily& family, const std::string& path, KeyOf key) {
  using namespace failures;
  const Failure unknown_lock{404, ErrorForm::error_id, "unknown-lock"};
  const auto& lock = lock_shape();
  family.add({.method = "GET",
              .path = path,
              .access = "auth.locks.read",
              .handler = handler(get_lock, key),
              .mode = Mode::read_only,
              .summary = "Get a lock",
              .answer = object_of(lock),
              .failures = {invalid_data, unknown_lock}});
  family.add({.method = "PUT",
              .path = path,
              .access = "auth.locks.create",
              .handler = handler(put_lock, key),
              .summary = "Lock a user, a tenant with all below it, a client, a session or the addresses of a prefix",
              .body = takes(lock_body(), Report::first, "locks"),
              .answer = object_of(lock),
              .failures = {unknown_user,
                           unknown_tenant,
                           {404, ErrorForm::error_id, "unknown-session"},
                           {409, ErrorForm::error_id, "locks-out-caller"},
                           {409, ErrorForm::error_id, "too-many-address-locks"}}});
  family.add({.method = "DELETE",
              .path = path,
              .access = "auth.locks.delete",
              .handler = handler(delete_lock, key),
              .summary = "Remove a lock; no token comes back to life",
              .failures = {invalid_data, unknown_lock}});
}

}  // namespace

Step end_what_is_locked(Context& context) {
  if (!locks::end_moved(context.db())) return Response::no_content();
  return Step::then(Lane::database, end_what_is_locked);
}

void add_lock_routes(Router& router) {
  RouteFamily family(router, {.plugin = "locks", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/locks",
              .access = "auth.locks.read",
              .handler = list_locks,
              .mode = Mode::read_only,
              .summary = "List locks",
              .list = listed({.sort_columns = {"kind", "value", "created_at", "ends_at"},
                              .default_order = "created_at",
                              .columns = {"kind", "value"}}),
              .answer = list_answer(lock_shape())});
  add_single(family, "/locks/<kind>/<value>", key_of);
  add_single(family, "/locks/address/<address>/<prefix_length>", prefix_of);
}

}  // namespace wazoauth
