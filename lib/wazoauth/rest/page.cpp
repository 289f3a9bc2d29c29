#include "wazoauth/rest/page.h"

namespace wazoauth {

Json page_items(const Rows& rows, const RowToJson& to_json) {
  Json items = Json::array();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (!rows.is_null(row, "uuid")) items.append(to_json(rows, row));
  }
  return items;
}

Response page_response(const Rows& rows, const RowToJson& to_json) {
  return Response::json(Json::object({{"filtered", rows.integer(0, "filtered")},
                                      {"total", rows.integer(0, "total")},
                                      {"items", page_items(rows, to_json)}}));
}

std::vector<Variant> sort_variants(const ListQuery& query) {
  return {{"order", query.order}, {"direction", query.descending ? "DESC" : "ASC"}};
}

std::optional<std::string> filter_of(const Request& request, std::string_view name) {
  return query_parameter(request.query, name);
}

std::optional<std::string> filter_unless_empty(const Request& request, std::string_view name) {
  auto value = filter_of(request, name);
  return value && value->empty() ? std::nullopt : value;
}

}  // namespace wazoauth
