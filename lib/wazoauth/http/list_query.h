// Parameters of lists: docs/spec/http-conventions.md section 9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/http/http.h"
#include "wazoauth/http/schema.h"

namespace wazoauth {

// The parameters that a list takes.
struct ListSpec {
  std::vector<std::string> sort_columns;
  std::string default_order;              // "" for none
  std::vector<std::string> unsortable{};  // accepted by the schema, refused afterwards with R400
  std::vector<Field> filters{};           // those with a type or a limit; of a list all values count, else the first
  std::vector<std::string> columns{};     // filters by any text
  std::string owner{};                    // whose list it is says the path; as a parameter it is refused
};
Schema list_schema(const ListSpec& spec);

// The parameters of one request.
struct ListQuery {
  std::string order;  // "" for none; one of sort_columns
  bool descending = false;
  std::optional<std::int64_t> limit;
  std::int64_t offset = 0;
  std::optional<std::string> search;          // as sent
  std::optional<std::string> search_pattern;  // for ILIKE: "%a%b%"
  bool recurse = false;
  Json filters;  // the values of ListSpec::filters that were given
};

// `list_schema`: the one of `spec`, made once. Throws 400.
ListQuery parse_list(const Request& request, const ListSpec& spec, const Schema& list_schema);

}  // namespace wazoauth
