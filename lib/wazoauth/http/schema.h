// Declared shapes of request bodies, query parameters and answers, and the checks of what comes in: types, limits,
// messages and error maps of docs/spec/http-conventions.md section 5.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/http/http.h"

namespace wazoauth {

enum class Type { string, integer, number, boolean, uuid, email, list, object, any };

struct Schema;

struct Field {
  std::string name;
  Type type = Type::string;
  bool required = false;
  bool nullable = false;
  std::optional<Json> fallback;                       // value when missing; none: the key stays absent
  std::optional<std::size_t> min_length, max_length;  // code points, or items
  std::optional<std::int64_t> minimum, maximum;
  std::vector<std::string> choices;
  std::string pattern;                   // shown in the error; "" for none. Only slug patterns: ^[class]+$
  std::string format;                    // what `check` wants, for the API document
  std::shared_ptr<const Field> item;     // of a list
  std::shared_ptr<const Schema> fields;  // of an object
  // A check of its own: the check object's message, constraint_id, constraint; nullopt when fine.
  std::function<std::optional<Json>(const Json&)> check;
};

struct Schema {
  std::vector<Field> fields;  // in the order in which errors are reported
  std::vector<std::function<std::optional<std::string>(const Json&)>> whole;  // run when no field failed
  std::string name;                                                           // in the API document; "" for none
};

// The shape of an object in answers: every member of it is always there.
std::shared_ptr<const Schema> shape(std::string name, std::vector<Field> always, std::vector<Field> sometimes = {});
Field object_of(std::shared_ptr<const Schema> fields, std::string name = {});
Field list_of(Field item, std::string name = {});

struct Validated {
  Json value;   // known keys only, converted, defaults filled in
  Json errors;  // the error map; null when there is none
};
Validated validate(const Schema& schema, const Json& input);

Json check_object(std::string_view message, std::string_view constraint_id, Json constraint);
bool is_uuid(std::string_view text);                            // canonical 8-4-4-4-12, any case
std::optional<std::string> canonical_uuid(std::string_view s);  // from any form that the Type uuid accepts
bool is_email(std::string_view address);                        // docs/spec/http-conventions.md 5.3
std::string ascii_domain(std::string_view domain);              // of an address, as the DNS has it; "" if there is none
std::string python_literal(const Json& value);                  // how Python prints it

// How a family of endpoints reports an error map.
enum class Report {
  python,           // R-form, the whole map as Python text
  first,            // A-form invalid-data, the first field
  map,              // A-form invalid-data, the whole map
  field,            // R-form, the first field's name
  text,             // A-form invalid-data, the first field's text; that of the whole in a list
  list_parameters,  // A-form invalid-list-param, the whole map; `resource` is "users", whatever it is
  form,             // the same of the first field
  name,             // A-form invalid-data, the first field's name, without details
};
[[noreturn]] void report(Report how, const Json& errors, std::string_view resource = {});  // throws Problem

// A body that a route takes.
struct BodySpec {
  Schema schema{};
  Report report = Report::first;
  std::string resource{};  // of an A-form
  bool any = false;        // any JSON value will do: there is no schema and no report
  bool form = false;       // an HTML form: texts as the schema has them, and files
  std::vector<std::string> files{};
};

// Parameters of a list (section 9).
struct ListSpec {
  std::vector<std::string> sort_columns;
  std::string default_order;              // "" for none
  std::vector<std::string> unsortable{};  // accepted by the schema, refused afterwards with R400
  std::vector<Field> filters{};           // those with a type or a limit; of a list all values count, else the first
  std::vector<std::string> columns{};     // filters by any text
};
Schema list_schema(const ListSpec& spec);
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
ListQuery parse_list(const Request& request, const ListSpec& spec, const Schema& list_schema);  // throws 400

}  // namespace wazoauth
