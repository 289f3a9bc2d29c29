#include "wazoauth/rest/page.h"
#include "wazoauth/session/routes.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/text.h"

namespace wazoauth {

namespace {

// Any order will do when none is wanted, but pages must fit together.
std::vector<Variant> order_of(const ListQuery& query) {
  return {{"order", query.order.empty() ? "uuid" : "mobile"}, {"direction", query.descending ? "DESC" : "ASC"}};
}

Json session_json(const Rows& rows, std::size_t row) {
  const std::string auth_id = rows.text(row, "auth_id");
  return Json::object({{"uuid", rows.text(row, "uuid")},
                       {"mobile", rows.boolean(row, "mobile")},
                       {"tenant_uuid", rows.text(row, "tenant_uuid")},
                       {"user_uuid", is_uuid4(auth_id) ? Json(auth_id) : Json()}});
}

Step list_sessions(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  return page_response(
      context.db().run("sessions.page", {tenant, query.recurse, query.limit, query.offset}, order_of(query)),
      session_json);
}

Step end_session(Context& context) {
  delete_session(context.db(), context.param("session_uuid"), context.tenant());
  return Response::no_content();
}

Step list_sessions_of_user(Context& context) {
  const std::string& user = context.param("user_uuid");
  tenant_of_user(context.db(), user, context.tenant());
  const ListQuery query = context.list_query();
  return page_response(context.db().run("sessions.page_of_user", {user, query.limit, query.offset}, order_of(query)),
                       session_json);
}

Step end_session_of_user(Context& context) {
  tenant_of_user(context.db(), context.param("user_uuid"), context.tenant());
  return end_session(context);
}

const std::shared_ptr<const Schema>& session_shape() {
  static const auto session = shape("Session", {{.name = "uuid", .type = Type::uuid},
                                                {.name = "mobile", .type = Type::boolean},
                                                {.name = "tenant_uuid", .type = Type::uuid},
                                                {.name = "user_uuid", .type = Type::uuid, .nullable = true}});
  return session;
}

}  // namespace

void add_session_routes(Router& router) {
  router.add({.method = "GET",
              .path = "/sessions",
              .access = "auth.sessions.read",
              .plugin = "sessions",
              .handler = list_sessions,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "List sessions",
              .list = listed({{"mobile"}, ""}),
              .answer = page_of(session_shape())});
  router.add({.method = "DELETE",
              .path = "/sessions/<session_uuid>",
              .access = "auth.sessions.{session_uuid}.delete",
              .plugin = "sessions",
              .handler = end_session,
              .tenancy = Tenancy::scoped,
              .summary = "End a session, if there is one"});
}

void add_user_session_routes(Router& router) {
  const std::string all = "/users/<user_uuid>/sessions", access = "auth.users.{user_uuid}.sessions.";
  router.add({.method = "GET",
              .path = all,
              .access = access + "read",
              .plugin = "user_session",
              .handler = list_sessions_of_user,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "List the sessions of a user",
              .list = listed({{"mobile"}, ""}),
              .answer = page_of(session_shape())});
  router.add({.method = "DELETE",
              .path = all + "/<session_uuid>",
              .access = access + "{session_uuid}.delete",
              .plugin = "user_session",
              .handler = end_session_of_user,
              .tenancy = Tenancy::scoped,
              .summary = "End a session of a user, if there is one"});
}

}  // namespace wazoauth
