#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/http/slug.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/list_statement.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

namespace {

Field name_field() {
  return {.name = "name", .required = true, .min_length = 1, .max_length = 128};
}

Problem name_taken(const std::string& name) {
  return Problem::with_reason(409, "Group \"" + name + "\" already exists");
}

Step list_groups(Context& context) {
  const ListQuery query = context.list_query();
  ListStatement statement("groups", "g", "g.tenant_uuid", query);
  statement.of_tenant(context, context.tenant(), query.recurse)
      .filtered_by_columns(context, {"policy_uuid", "policy_slug"});
  const Json& read_only = query.filters.get("read_only");
  if (!read_only.is_null()) statement.filtered("groups.by.read_only", read_only.boolean());
  return statement.answer(context, *group_shape());
}

Step create_group(Context& context) {
  const Json body = context.valid_body();
  const std::string& tenant = context.tenant();
  const std::string name(body.get("name").text());
  const std::string slug = slug_of(body, long_slug, [&](const std::string& candidate) {
    return context.db().run("groups.slug_taken", {tenant, candidate}).boolean(0, "taken");
  });
  try {
    const Rows rows = context.db().run("groups.create", {name, slug, tenant});
    return row_response(rows, *group_shape());
  } catch (const ConstraintViolation& e) {
    if (e.unique()) throw name_taken(name);
    if (e.foreign_key()) throw problems::unauthorized_tenant(tenant);  // it was deleted a moment ago
    throw;
  }
}

Step get_group(Context& context) {
  return row_response(visible_group(context), *group_shape());
}

Step update_group(Context& context) {
  const Rows group = visible_group(context);
  const std::string name(context.valid_body().get("name").text());
  refuse_system_group(group);
  try {
    const Rows renamed = context.db().run("groups.rename", {context.param("group_uuid"), name});
    if (renamed.empty()) throw problems::unknown("group", context.param("group_uuid"));
    return row_response(renamed, *group_shape());
  } catch (const ConstraintViolation& e) {
    if (e.unique()) throw name_taken(name);
    throw;
  }
}

Step delete_group(Context& context) {
  refuse_system_group(visible_group(context));
  context.db().run("groups.delete", {context.param("group_uuid")});
  return Response::no_content();
}

}  // namespace

Rows visible_group(Context& context) {
  return visible_group(context, context.param("group_uuid"));
}

Rows visible_group(Context& context, const std::string& uuid) {
  Rows rows = context.db().run("groups.visible", {uuid, context.tenant()});
  if (rows.empty()) throw problems::unknown("group", uuid);
  return rows;
}

void refuse_system_group(const Rows& group) {
  if (!group.boolean(0, "system_managed")) return;
  const std::string uuid = group.text(0, "uuid");
  throw Problem::with_error_id(403, "forbidden-group", "Forbidden group modification: \"" + uuid + "\"",
                               Json::object({{"uuid", uuid}}), "groups");
}

const std::shared_ptr<const Schema>& group_shape() {
  static const auto group = shape("Group", {{.name = "uuid", .type = Type::uuid},
                                            {.name = "tenant_uuid", .type = Type::uuid},
                                            {.name = "name"},
                                            {.name = "slug"},
                                            {.name = "read_only", .type = Type::boolean},
                                            {.name = "system_managed", .type = Type::boolean}});
  return group;
}

void add_group_routes(Router& router) {
  using namespace failures;
  const std::string one = "/groups/<group_uuid>", access = "auth.groups.{group_uuid}.";
  RouteFamily family(router, {.plugin = "groups", .tenancy = Tenancy::scoped});
  family.add({.method = "GET",
              .path = "/groups",
              .access = "auth.groups.read",
              .handler = list_groups,
              .mode = Mode::read_only,
              .summary = "List groups",
              .list = listed({{"name", "uuid"},
                              "name",
                              {"slug", "read_only"},
                              {{.name = "read_only", .type = Type::boolean}},
                              {"uuid", "name", "slug", "user_uuid", "policy_uuid", "policy_slug"}}),
              .answer = list_answer(group_shape())});
  family.add({.method = "POST",
              .path = "/groups",
              .access = "auth.groups.create",
              .handler = create_group,
              .summary = "Create a group",
              .body = takes({{name_field(), slug_field(long_slug)}, {}, "NewGroup"}, Report::first, "groups"),
              .answer = object_of(group_shape()),
              .failures = {taken}});
  family.add({.method = "GET",
              .path = one,
              .access = access + "read",
              .handler = get_group,
              .mode = Mode::read_only,
              .summary = "Get a group",
              .answer = object_of(group_shape()),
              .failures = {unknown_group}});
  family.add({.method = "PUT",
              .path = one,
              .access = access + "update",
              .handler = update_group,
              .summary = "Rename a group",
              .body = takes({{name_field()}, {}, "ChangedGroup"}, Report::first, "groups"),
              .answer = object_of(group_shape()),
              .failures = {unknown_group, forbidden_group, taken}});
  family.add({.method = "DELETE",
              .path = one,
              .access = access + "delete",
              .handler = delete_group,
              .summary = "Delete a group",
              .failures = {unknown_group, forbidden_group}});
}

}  // namespace wazoauth
