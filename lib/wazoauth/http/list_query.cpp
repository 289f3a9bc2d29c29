#include "wazoauth/http/list_query.h"

#include <algorithm>

#include "wazoauth/http/problem.h"
#include "wazoauth/http/report.h"

namespace wazoauth {

Schema list_schema(const ListSpec& spec) {
  std::vector<std::string> columns = spec.sort_columns;
  columns.insert(columns.end(), spec.unsortable.begin(), spec.unsortable.end());
  Schema schema;
  schema.fields = {
      {.name = "order", .choices = columns},
      {.name = "direction", .choices = {"asc", "desc"}},
      {.name = "limit", .type = Type::integer, .minimum = 0},
      {.name = "offset", .type = Type::integer, .minimum = 0},
      {.name = "search"},
      {.name = "recurse", .type = Type::boolean},
  };
  if (columns.empty())
    schema.fields.front().check = [](const Json&) {
      return check_object("Must be one of: .", "enum", Json::object({{"choices", Json::array()}}));
    };
  schema.fields.insert(schema.fields.end(), spec.filters.begin(), spec.filters.end());
  for (const std::string& name : spec.columns) schema.fields.push_back({.name = name});
  return schema;
}

namespace {

std::string like_pattern(std::string_view search) {
  std::string pattern = "%";
  while (!search.empty()) {
    const std::string_view piece = search.substr(0, search.find(' '));
    search.remove_prefix(std::min(search.size(), piece.size() + 1));
    if (!piece.empty()) pattern.append(piece).append("%");
  }
  return pattern;
}

void refuse_owner(const std::string& name) {
  report(Report::list_parameters, Json::object({{name, check_object("The path has it already.", "owner", "owner")}}));
}

}  // namespace

ListQuery parse_list(const Request& request, const ListSpec& spec, const Schema& list_schema) {
  Json given = Json::object();
  for (const char* name : {"order", "direction", "limit", "offset", "search", "recurse"}) {
    if (const auto value = query_parameter(request.query, name)) given.set(name, *value);
  }
  for (const std::string& name : spec.columns) {
    if (const auto value = query_parameter(request.query, name)) given.set(name, *value);
  }
  if (!spec.owner.empty() && query_parameter(request.query, spec.owner)) refuse_owner(spec.owner);
  for (const Field& field : spec.filters) {
    const auto values = query_parameters(request.query, field.name);
    if (values.empty()) continue;
    given.set(field.name, field.type == Type::list ? Json::strings(values) : Json(values.front()));
  }
  const Validated valid = validate(list_schema, given);
  if (!valid.errors.is_null()) report(Report::list_parameters, valid.errors);
  ListQuery query;
  query.filters = valid.value;
  query.order = valid.value.text_or("order", spec.default_order);
  if (std::find(spec.unsortable.begin(), spec.unsortable.end(), query.order) != spec.unsortable.end())
    throw Problem::with_reason(400, "Invalid sort column: " + query.order);
  query.descending = valid.value.text_or("direction", "asc") == "desc";
  if (valid.value.has("limit")) query.limit = valid.value.get("limit").integer();
  if (valid.value.has("offset")) query.offset = valid.value.get("offset").integer();
  if (valid.value.has("recurse")) query.recurse = valid.value.get("recurse").boolean();
  if (valid.value.has("search")) {
    query.search = std::string(valid.value.get("search").text());
    query.search_pattern = like_pattern(*query.search);
  }
  return query;
}

}  // namespace wazoauth
