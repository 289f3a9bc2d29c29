// Any JSON against a schema of all types, any bytes as an e-mail address, a UUID, the query of a list.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "wazoauth/base/text.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/http/email_address.h"
#include "wazoauth/http/list_query.h"
#include "wazoauth/http/problem.h"
#include "wazoauth/http/report.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

Schema make_schema() {
  const auto item =
      std::make_shared<const Field>(Field{.name = "", .type = Type::email, .nullable = true, .max_length = 20});
  const auto inner = std::make_shared<const Schema>(
      Schema{.fields = {{.name = "s", .required = true, .min_length = 1, .max_length = 3},
                        {.name = "i", .type = Type::integer, .fallback = Json(3), .minimum = -1, .maximum = 5}},
             .whole = {}});
  return {.fields = {{.name = "s", .min_length = 2, .max_length = 8},
                     {.name = "p", .nullable = true, .pattern = "^[a-zA-Z0-9_-]+$"},
                     {.name = "c", .choices = {"one", "two"}},
                     {.name = "i", .type = Type::integer, .minimum = 0},
                     {.name = "b", .type = Type::boolean, .fallback = Json(true)},
                     {.name = "u", .type = Type::uuid, .nullable = true},
                     {.name = "e", .type = Type::email},
                     {.name = "l", .type = Type::list, .max_length = 3, .item = item},
                     {.name = "f", .type = Type::list},
                     {.name = "o", .type = Type::object, .fields = inner},
                     {.name = "d", .type = Type::object, .fallback = Json::object()}},
          .whole = {[](const Json& value) {
            return value.has("s") && value.get("s") == value.get("p") ? std::optional<std::string>("same")
                                                                      : std::nullopt;
          }}};
}

// Every form of a report is an answer with a 4xx status.
void check_reports(const Json& errors) {
  require(errors.is_object() && errors.size() > 0);
  int reports = 0;
  for (const Report how : {Report::python, Report::first, Report::map, Report::field, Report::list_parameters}) {
    try {
      report(how, errors, "things");
    } catch (const Problem& problem) {
      require(problem.status() == 400 && Json::parse(problem.body().dump()));
      ++reports;
    }
  }
  require(reports == 5);
}

// What was accepted is accepted again, as it is now.
void check_body(std::string_view text) {
  static const Schema schema = make_schema();
  const auto input = Json::parse(text);
  if (!input) return;
  const std::string before = input->dump();
  const Validated first = validate(schema, *input);
  require(input->dump() == before);
  require(is_utf8(python_literal(*input)));
  for (const auto& [key, value] : first.value.members())
    require(
        std::any_of(schema.fields.begin(), schema.fields.end(), [&, k = key](const Field& f) { return f.name == k; }));
  if (!first.errors.is_null()) return check_reports(first.errors);
  const Validated second = validate(schema, first.value);
  require(second.errors.is_null() && second.value == first.value);
  if (first.value.has("s")) require(code_points(first.value.get("s").text()) <= 8);
  if (first.value.get("u").is_string()) require(is_uuid(first.value.get("u").text()));
  if (first.value.has("e")) require(is_email(first.value.get("e").text()));
  require(first.value.get("b").is_boolean());
}

// An address is put into the header of a mail.
void check_address(std::string_view text) {
  const std::string address = utf8_or_latin1(text);
  if (!is_email(address)) return;
  const auto at = address.rfind('@');
  require(at != std::string::npos && at > 0 && at + 1 < address.size());
  require(address.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  require(is_email("a." + address) || address.front() == '"');
  require(!is_email(address + "@") && !is_email("@" + address.substr(at + 1)) && !is_email(address.substr(0, at + 1)));
  for (const std::string& tail : {"\n", " ", "..", "\r\nBcc: x@example.com\n"}) require(!is_email(address + tail));
}

void check_uuid(std::string_view text) {
  const auto uuid = canonical_uuid(text);
  if (is_uuid(text)) require(uuid.has_value());
  if (!uuid) return;
  require(is_uuid(*uuid) && canonical_uuid(*uuid) == uuid);
  require(std::none_of(uuid->begin(), uuid->end(), [](unsigned char c) { return c >= 'A' && c <= 'F'; }));
}

void check_list(std::string_view query) {
  ListSpec spec;
  spec.sort_columns = {"name", "created_at"};
  spec.default_order = "name";
  spec.unsortable = {"uuid"};
  spec.filters = {{.name = "enabled", .type = Type::boolean}, {.name = "ids", .type = Type::list}};
  Request request;
  request.query = query;
  ListQuery list;
  try {
    list = parse_list(request, spec, list_schema(spec));
  } catch (const Problem& problem) {
    return require(problem.status() == 400);
  }
  require(list.order == "name" || list.order == "created_at");
  require(list.offset >= 0 && (!list.limit || *list.limit >= 0));
  require(list.search.has_value() == list.search_pattern.has_value());
  if (!list.search) return;
  const std::string& pattern = *list.search_pattern;
  require(is_utf8(pattern) && pattern.find('\0') == std::string::npos && pattern.find(' ') == std::string::npos);
  require(pattern.front() == '%' && pattern.back() == '%');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      check_body(input);
      for (const char key : std::string_view("spcibuelfod"))
        check_body("{\"" + std::string(1, key) + "\": " + input + "}");
      break;
    case 1:
      check_address(input);
      check_address(input + "@example.org");
      check_address("a@" + input + ".org");
      break;
    case 2:
      check_uuid(input);
      break;
    default:
      check_list(input);
      check_list("search=" + input);
      check_list("limit=" + input);
      break;
  }
  return 0;
}
