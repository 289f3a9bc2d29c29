#include "wazoauth/rest/page.h"
#include "wazoauth/session/routes.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/text.h"

namespace wazoauth {

namespace {

ListQuery list_query(const Context& context) {
  static const ListSpec spec{{"mobile"}, ""};
  return parse_list(context.request, spec);
}

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
  const ListQuery query = list_query(context);
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
  const ListQuery query = list_query(context);
  return page_response(context.db().run("sessions.page_of_user", {user, query.limit, query.offset}, order_of(query)),
                       session_json);
}

Step end_session_of_user(Context& context) {
  tenant_of_user(context.db(), context.param("user_uuid"), context.tenant());
  return end_session(context);
}

}  // namespace

void add_session_routes(Router& router) {
  router.add({"GET", "/sessions", "auth.sessions.read", "sessions", list_sessions, Mode::read_only});
  router.add({"DELETE", "/sessions/<session_uuid>", "auth.sessions.{session_uuid}.delete", "sessions", end_session});
}

void add_user_session_routes(Router& router) {
  const std::string all = "/users/<user_uuid>/sessions", access = "auth.users.{user_uuid}.sessions.";
  router.add({"GET", all, access + "read", "user_session", list_sessions_of_user, Mode::read_only});
  router.add(
      {"DELETE", all + "/<session_uuid>", access + "{session_uuid}.delete", "user_session", end_session_of_user});
}

}  // namespace wazoauth
