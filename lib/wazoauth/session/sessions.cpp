#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/session/routes.h"
#include "wazoauth/session/session_rules.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& session_shape() {
  static const auto session = shape("Session", {{.name = "uuid", .type = Type::uuid},
                                                {.name = "mobile", .type = Type::boolean},
                                                {.name = "tenant_uuid", .type = Type::uuid},
                                                {.name = "user_uuid", .type = Type::uuid, .nullable = true}});
  return session;
}

// Any order will do when none is wanted, but pages must fit together.
ListStatement list_of_sessions(ListQuery query) {
  if (query.order.empty()) query.order = "uuid";
  query.search_pattern.reset();  // is accepted and finds everything
  return {"sessions", "s", "s.tenant_uuid", query};
}

Step list_sessions(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  ListStatement statement = list_of_sessions(query);
  statement.of_tenant(context, tenant, query.recurse).scoped("sessions.with_token", nullptr);
  return statement.answer(context, *session_shape());
}

Step end_session(Context& context) {
  delete_session(context.db(), context.param("session_uuid"), context.tenant());
  return Response::no_content();
}

Step list_sessions_of_user(Context& context) {
  const std::string& user = context.param("user_uuid");
  tenant_of_user(context.db(), user, context.tenant());
  ListStatement statement = list_of_sessions(context.list_query());
  statement.scoped("sessions.of_user", user);
  return statement.answer(context, *session_shape());
}

Step end_session_of_user(Context& context) {
  tenant_of_user(context.db(), context.param("user_uuid"), context.tenant());
  return end_session(context);
}

}  // namespace

void add_session_routes(Router& router) {
  RouteFamily family(router, {.plugin = "sessions", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/sessions",
              .access = "auth.sessions.read",
              .handler = list_sessions,
              .mode = Mode::read_only,
              .summary = "List sessions",
              .list = listed({{"mobile"}, ""}),
              .answer = list_answer(session_shape())});
  family.add({.method = "DELETE",
              .path = "/sessions/<session_uuid>",
              .access = "auth.sessions.{session_uuid}.delete",
              .handler = end_session,
              .summary = "End a session, if there is one"});
}

void add_user_session_routes(Router& router) {
  const std::string all = "/users/<user_uuid>/sessions", access = "auth.users.{user_uuid}.sessions.";
  RouteFamily family(router, {.plugin = "user_session", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = all,
              .access = access + "read",
              .handler = list_sessions_of_user,
              .mode = Mode::read_only,
              .summary = "List the sessions of a user",
              .list = listed({{"mobile"}, ""}),
              .answer = list_answer(session_shape())});
  family.add({.method = "DELETE",
              .path = all + "/<session_uuid>",
              .access = access + "{session_uuid}.delete",
              .handler = end_session_of_user,
              .summary = "End a session of a user, if there is one"});
}

}  // namespace wazoauth
