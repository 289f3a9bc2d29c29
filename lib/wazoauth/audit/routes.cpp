#include "wazoauth/audit/routes.h"

#include <algorithm>
#include <charconv>

#include "wazoauth/base/iso_time.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/master_tenant.h"

namespace wazoauth {

namespace {

constexpr std::int64_t usual_limit = 100, highest_limit = 1000;

std::shared_ptr<const Schema> entry_shape() {
  return shape("AuditEntry", {{.name = "id", .type = Type::integer},
                              {.name = "at"},
                              {.name = "action"},
                              {.name = "kind"},
                              {.name = "object_uuid", .nullable = true},
                              {.name = "related_uuid", .nullable = true},
                              {.name = "tenant_uuid", .nullable = true},
                              {.name = "actor_uuid", .nullable = true},
                              {.name = "session_uuid", .nullable = true},
                              {.name = "remote_addr", .nullable = true},
                              {.name = "trace_id", .nullable = true},
                              {.name = "before", .type = Type::object, .nullable = true},
                              {.name = "after", .type = Type::object, .nullable = true}});
}

// Where a page ended.
struct Cursor {
  std::string xact;
  std::int64_t id = 0;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Cursor> parse_cursor(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto xact = number(text.substr(0, dash)), id = number(text.substr(dash + 1));
  if (!xact || !id || *id > INT64_MAX) return std::nullopt;
  return Cursor{std::to_string(*xact), static_cast<std::int64_t>(*id)};
}

std::optional<Json> check_cursor(const Json& value) {
  if (value.is_string() && parse_cursor(value.text())) return std::nullopt;
  return check_object("Not the `next` of an answer.", "type", "cursor");
}

std::optional<Json> check_time(const Json& value) {
  if (value.is_string() && parse_iso_time(value.text())) return std::nullopt;
  return check_object("Not a valid datetime.", "type", "datetime");
}

Schema parameters() {
  return {
      {{.name = "actor_uuid"},
       {.name = "kind"},
       {.name = "object_uuid"},
       {.name = "action"},
       {.name = "from", .format = "date-time", .check = check_time},
       {.name = "to", .format = "date-time", .check = check_time},
       {.name = "recurse", .type = Type::boolean, .fallback = Json(false)},
       {.name = "limit", .type = Type::integer, .fallback = Json(usual_limit), .minimum = 1, .maximum = highest_limit},
       {.name = "cursor", .check = check_cursor}},
      {},
      ""};
}

Param text_or_null(const Json& query, std::string_view name) {
  return query.has(name) ? Param(std::string(query.get(name).text())) : Param(nullptr);
}

Param time_or_null(const Json& query, std::string_view name) {
  return query.has(name) ? Param(*parse_iso_time(query.get(name).text())) : Param(nullptr);
}

std::string_view statement(Context& context, const Json& query, const std::string& tenant) {
  if (!query.get("recurse").boolean()) return "audit.of_tenant";
  return tenant == context.services.master_tenant.uuid(context.db()) ? "audit.of_all" : "audit.of_subtree";
}

Step list_entries(Context& context) {
  const Json query = context.valid_query();
  const std::string& tenant = context.tenant();
  const auto after = query.has("cursor") ? parse_cursor(query.get("cursor").text()) : std::nullopt;
  const std::int64_t limit = query.get("limit").integer();
  // One more than asked for tells whether there are any.
  const Rows rows = context.db().run(
      statement(context, query, tenant),
      {tenant, after ? Param(after->xact) : Param(nullptr), after ? Param(after->id) : Param(nullptr),
       text_or_null(query, "actor_uuid"), text_or_null(query, "kind"), text_or_null(query, "object_uuid"),
       text_or_null(query, "action"), time_or_null(query, "from"), time_or_null(query, "to"), limit + 1});
  const auto shown = std::min(rows.size(), static_cast<std::size_t>(limit));
  std::string text = "{\"items\": [";
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + rows.text(i, "entry");
  const bool more = rows.size() > shown;
  text +=
      "], \"next\": " + (more ? '"' + rows.text(shown - 1, "xact") + '-' + rows.text(shown - 1, "id") + '"' : "null");
  Response response;
  response.body = text + "}\n";
  return response;
}

}  // namespace

void add_audit_routes(Router& router) {
  const auto answer =
      shape("AuditLog", {list_of(object_of(entry_shape()), "items"), {.name = "next", .nullable = true}});
  router.add({.method = "GET",
              .path = "/audit",
              .access = "auth.audit.read",
              .plugin = "audit",
              .handler = list_entries,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "List what was changed, and who did it, the newest first",
              .query = takes(parameters(), Report::list_parameters),
              .answer = object_of(answer)});
}

}  // namespace wazoauth
