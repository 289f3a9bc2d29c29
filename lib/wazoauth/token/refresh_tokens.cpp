#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/session/session_rules.h"
#include "wazoauth/store/event.h"
#include "wazoauth/token/routes.h"

namespace wazoauth {

namespace {

const std::shared_ptr<const Schema>& refresh_token_shape() {
  static const auto refresh_token =
      shape("RefreshToken", {{.name = "client_id", .nullable = true},
                             {.name = "created_at", .nullable = true, .format = "date-time"},
                             {.name = "mobile", .type = Type::boolean},
                             {.name = "user_uuid", .type = Type::uuid},
                             {.name = "tenant_uuid", .type = Type::uuid},
                             {.name = "metadata", .type = Type::object}});
  return refresh_token;
}

Response list(Context& context, const ListQuery& query, bool recurse, const std::optional<std::string>& user_uuid) {
  ListStatement statement("refresh_tokens", "r", "u.tenant_uuid", query);
  statement.of_tenant(context, context.tenant(), recurse);
  if (user_uuid) statement.scoped("refresh_tokens.of_user", *user_uuid);
  const Json& filters = query.filters;
  if (filters.has("client_id")) statement.filtered("refresh_tokens.by.client_id", filters.get("client_id").text());
  if (filters.has("mobile")) statement.filtered("refresh_tokens.by.mobile", filters.get("mobile").boolean());
  if (filters.has("created_at")) statement.filtered("refresh_tokens.by.created_at", filters.get("created_at").text());
  try {
    return statement.answer(context, *refresh_token_shape());
  } catch (const BadValue&) {
    // Only PostgreSQL knows what it takes for a time.
    report(Report::list_parameters,
           Json::object({{"created_at", check_object("Not a valid datetime.", "type", "datetime")}}));
  }
}

// The user of the request's token. A token without a user is refused like an unknown user, "None".
std::string own_user(const Context& context) {
  const std::string uuid = context.token().user_uuid();
  return uuid.empty() ? "None" : uuid;
}

Step list_all(Context& context) {
  context.tenant();
  const ListQuery query = context.list_query();
  return list(context, query, query.recurse, std::nullopt);
}

Step list_of(Context& context, const std::string& user_uuid, bool recurse) {
  tenant_of_user(context.db(), user_uuid, context.tenant());
  return list(context, context.list_query(), recurse, user_uuid);
}

Step list_of_user(Context& context) {
  return list_of(context, context.param("user_uuid"), true);
}
Step list_own(Context& context) {
  return list_of(context, own_user(context), false);
}

Problem unknown_client(const std::string& client_id) {
  return Problem::with_error_id(404, "cannot-find-refresh-token-matching-client-id",
                                "unknown refresh_token for client_id \"" + client_id + "\"",
                                Json::object({{"client_id", client_id}}), "tokens");
}

Step delete_of(Context& context, const std::string& user_uuid) {
  const std::string& client_id = context.param("client_id");
  const std::string tenant = tenant_of_user(context.db(), user_uuid, context.tenant());
  if (client_id.find('\0') != std::string::npos) throw unknown_client(client_id);
  const Rows deleted = context.db().run("refresh_tokens.delete", {user_uuid, client_id});
  if (deleted.empty()) throw unknown_client(client_id);
  context.db().publish(events::refresh_token_deleted(tenant, user_uuid, client_id, deleted.boolean(0, "mobile")));
  return Response::no_content();
}

Step delete_of_user(Context& context) {
  return delete_of(context, context.param("user_uuid"));
}
Step delete_own(Context& context) {
  return delete_of(context, own_user(context));
}

}  // namespace

void add_refresh_token_routes(Router& router) {
  const Field answer = list_answer(refresh_token_shape());
  const auto list = listed({.sort_columns = {"created_at", "client_id", "mobile"},
                            .default_order = "created_at",
                            .filters = {{.name = "client_id"},
                                        {.name = "mobile", .type = Type::boolean},
                                        {.name = "created_at", .format = "date-time"}}});
  const Failure unknown{404, ErrorForm::error_id, "cannot-find-refresh-token-matching-client-id"};
  RouteFamily family(router, {.plugin = "tokens", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/tokens",
              .access = "auth.tokens.read",
              .handler = list_all,
              .mode = Mode::read_only,
              .summary = "List refresh tokens",
              .list = list,
              .answer = answer});
  family.add({.method = "GET",
              .path = "/users/<user_uuid>/tokens",
              .access = "auth.users.{user_uuid}.tokens.read",
              .handler = list_of_user,
              .mode = Mode::read_only,
              .summary = "List the refresh tokens of a user",
              .list = list,
              .answer = answer});
  family.add({.method = "DELETE",
              .path = "/users/<user_uuid>/tokens/<client_id>",
              .access = "auth.users.{user_uuid}.tokens.{client_id}.delete",
              .handler = delete_of_user,
              .summary = "Delete a refresh token of a user",
              .failures = {unknown}});
  family.add({.method = "GET",
              .path = "/users/me/tokens",
              .access = "auth.users.me.tokens.read",
              .handler = list_own,
              .mode = Mode::read_only,
              .summary = "List one's own refresh tokens",
              .list = list,
              .answer = answer});
  family.add({.method = "DELETE",
              .path = "/users/me/tokens/<client_id>",
              .access = "auth.users.me.tokens.{client_id}.delete",
              .handler = delete_own,
              .summary = "Delete one's own refresh token",
              .failures = {unknown}});
}

}  // namespace wazoauth
