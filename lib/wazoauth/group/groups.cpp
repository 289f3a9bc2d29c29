#include "wazoauth/group/group_rows.h"
#include "wazoauth/group/routes.h"
#include "wazoauth/rest/page.h"
#include "wazoauth/rest/slug.h"

namespace wazoauth {

namespace {

const Schema& new_group() {
  static const Schema schema{
      {{.name = "name", .required = true, .min_length = 1, .max_length = 128}, slug_field(long_slug)}, {}};
  return schema;
}

const Schema& changed_group() {
  static const Schema schema{{{.name = "name", .required = true, .min_length = 1, .max_length = 128}}, {}};
  return schema;
}

Json valid_body(const Context& context, const Schema& schema) {
  const Validated valid = validate(schema, context.body_object());
  if (!valid.errors.is_null()) report_first(valid.errors, "groups");
  return valid.value;
}

Problem name_taken(const std::string& name) {
  return Problem::r_form(409, "Group \"" + name + "\" already exists");
}

Step list_groups(Context& context) {
  static const ListSpec spec{
      {"name", "uuid"}, "name", {"slug", "read_only"}, {{.name = "read_only", .type = Type::boolean}}};
  const Request& request = context.request;
  const ListQuery query = parse_list(request, spec);
  const Json read_only = query.filters.get("read_only");
  const std::vector<Param> params = {context.tenant(),
                                     query.recurse,
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     filter_of(request, "name"),
                                     filter_of(request, "slug"),
                                     filter_of(request, "user_uuid"),
                                     read_only.is_null() ? Param(nullptr) : Param(read_only.boolean()),
                                     filter_unless_empty(request, "policy_uuid"),
                                     filter_unless_empty(request, "policy_slug"),
                                     nullptr,
                                     query.limit,
                                     query.offset};
  return page_response(context.db().run("groups.page", params, sort_variants(query)), group_json);
}

Step create_group(Context& context) {
  const Json body = valid_body(context, new_group());
  const std::string& tenant = context.tenant();
  const std::string name(body.get("name").text());
  const std::string slug = slug_of(body, long_slug, [&](const std::string& candidate) {
    return context.db().run("groups.slug_taken", {tenant, candidate}).boolean(0, "taken");
  });
  try {
    const Rows rows = context.db().run("groups.create", {name, slug, tenant});
    return Response::json(group_json(rows, 0));
  } catch (const ConstraintViolation& e) {
    if (e.unique()) throw name_taken(name);
    if (e.foreign_key()) throw problems::unauthorized_tenant(tenant);  // it was deleted a moment ago
    throw;
  }
}

Step get_group(Context& context) {
  return Response::json(group_json(visible_group(context), 0));
}

Step update_group(Context& context) {
  const Rows group = visible_group(context);
  const std::string name(valid_body(context, changed_group()).get("name").text());
  refuse_system_group(group);
  try {
    const Rows renamed = context.db().run("groups.rename", {context.param("group_uuid"), name});
    if (renamed.empty()) throw problems::unknown("group", context.param("group_uuid"));
    return Response::json(group_json(renamed, 0));
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
  const std::string& uuid = context.param("group_uuid");
  Rows rows = context.db().run("groups.visible", {uuid, context.tenant()});
  if (rows.empty()) throw problems::unknown("group", uuid);
  return rows;
}

void refuse_system_group(const Rows& group) {
  if (!group.boolean(0, "system_managed")) return;
  const std::string uuid = group.text(0, "uuid");
  throw Problem::a_form(403, "forbidden-group", "Forbidden group modification: \"" + uuid + "\"",
                        Json::object({{"uuid", uuid}}), "groups");
}

Json group_json(const Rows& rows, std::size_t row) {
  const bool system_managed = rows.boolean(row, "system_managed");
  return Json::object({{"uuid", rows.text(row, "uuid")},
                       {"tenant_uuid", rows.text(row, "tenant_uuid")},
                       {"name", rows.text(row, "name")},
                       {"slug", rows.text(row, "slug")},
                       {"read_only", system_managed},
                       {"system_managed", system_managed}});
}

void add_group_routes(Router& router) {
  const std::string one = "/groups/<group_uuid>";
  router.add({"GET", "/groups", "auth.groups.read", "groups", list_groups, Mode::read_only});
  router.add({"POST", "/groups", "auth.groups.create", "groups", create_group});
  router.add({"GET", one, "auth.groups.{group_uuid}.read", "groups", get_group, Mode::read_only});
  router.add({"PUT", one, "auth.groups.{group_uuid}.update", "groups", update_group});
  router.add({"DELETE", one, "auth.groups.{group_uuid}.delete", "groups", delete_group});
}

}  // namespace wazoauth
