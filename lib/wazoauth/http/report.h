// How a family of endpoints reports the error map of validate(): docs/spec/http-conventions.md sections 5 and 6.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/http/schema.h"

namespace wazoauth {

std::string python_literal(const Json& value);  // how Python prints it

enum class Report {
  python,           // R-form, the whole map as Python text
  first,            // A-form invalid-data, the first field
  map,              // A-form invalid-data, the whole map
  field,            // R-form, the first field's name
  text,             // A-form invalid-data, the first field's text; that of the whole in a list
  list_parameters,  // A-form invalid-list-param, the whole map; `resource` is "users", whatever it is
  list_parameter,   // the same of the first field only
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

}  // namespace wazoauth
