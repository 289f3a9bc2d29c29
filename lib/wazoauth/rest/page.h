// Answers of list operations.
//
// The statement of a list gives in each row the columns `total` and `filtered`, and a page of objects beside them. When
// the page is empty it still gives one row, in which the object's columns (its `uuid` among them) are NULL.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/rest/http.h"
#include "wazoauth/rest/schema.h"
#include "wazoauth/store/database.h"

namespace wazoauth {

using RowToJson = std::function<Json(const Rows&, std::size_t row)>;

Json page_items(const Rows& rows, const RowToJson& to_json);

// {"filtered", "total", "items"}
Response page_response(const Rows& rows, const RowToJson& to_json);

// For {order} and {direction} of the statement; the query must have an order.
std::vector<Variant> sort_variants(const ListQuery& query);

// Column filters: the parameter's text as it was sent. The second one takes an empty text for none.
std::optional<std::string> filter_of(const Request& request, std::string_view name);
std::optional<std::string> filter_unless_empty(const Request& request, std::string_view name);

}  // namespace wazoauth
