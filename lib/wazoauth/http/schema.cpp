#include "wazoauth/http/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/http/email_address.h"

namespace wazoauth {

Json check_object(std::string_view message, std::string_view constraint_id, Json constraint) {
  return Json::object({{"message", message}, {"constraint_id", constraint_id}, {"constraint", std::move(constraint)}});
}

namespace {

struct TypeName {
  const char* message;
  const char* constraint;
};

TypeName type_name(Type type) {
  switch (type) {
    case Type::string:
      return {"Not a valid string.", "string"};
    case Type::integer:
      return {"Not a valid integer.", "integer"};
    case Type::boolean:
      return {"Not a valid boolean.", "boolean"};
    case Type::uuid:
      return {"Not a valid UUID.", "uuid"};
    case Type::email:
      return {"Not a valid email address.", "email"};
    case Type::list:
      return {"Not a valid list.", "list"};
    case Type::number:
      return {"Not a valid number.", "number"};
    case Type::object:
    case Type::any:
      return {"Invalid type.", "dict"};
  }
  return {"Invalid type.", "dict"};
}

Json type_error(Type type) {
  const TypeName name = type_name(type);
  return check_object(name.message, "type", name.constraint);
}

struct Integer {
  std::int64_t value;
  bool is_exact = true;  // false: it is beyond 64 bits, and this the nearest within
};

Integer beyond(bool negative) {
  return {negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max(), false};
}

// An integer as Python's int() reads text: blanks around, a sign, '_' between digits.
std::optional<Integer> integer_in(std::string_view text) {
  text = ascii::trimmed(text, " \t\r\n\f\v");
  if (text.empty()) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    const bool sign = i == 0 && (c == '+' || c == '-');
    const bool separator = c == '_' && i > 0 && i + 1 < text.size() &&
                           std::isdigit(static_cast<unsigned char>(text[i - 1])) &&
                           std::isdigit(static_cast<unsigned char>(text[i + 1]));
    if (!digit && !sign && !separator) return std::nullopt;
    if (digit || c == '-') digits += c;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return beyond(digits.front() == '-');
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return Integer{value};
}

// Of a number, NaN excepted, or of a text.
std::optional<Integer> to_integer(const Json& input) {
  if (input.is_integer()) return Integer{input.integer()};
  if (input.is_string()) return integer_in(input.text());
  if (!input.is_real()) return std::nullopt;
  const double whole = std::trunc(input.number());
  if (std::isnan(whole)) return std::nullopt;
  if (whole >= 0x1p63 || whole < -0x1p63) return beyond(whole < 0);
  return Integer{static_cast<std::int64_t>(whole)};
}

bool is_infinite(const Json& input) {
  return !input.is_finite() && input.is_real() && std::isinf(input.number());
}

// Where the field's own limits don't say that it is.
bool is_too_large(const Field& field, const Json& input, const Integer& number) {
  if (is_infinite(input)) return true;
  return !number.is_exact && !(number.value < 0 ? field.minimum : field.maximum);
}

std::optional<bool> to_boolean(const Json& input) {
  if (input.is_boolean()) return input.boolean();
  if (input.is_number()) {
    if (input.number() == 1.0) return true;
    if (input.number() == 0.0) return false;
    return std::nullopt;
  }
  if (!input.is_string()) return std::nullopt;
  static const std::vector<std::string_view> yes = {"t",  "T", "true", "True", "TRUE", "on",  "On",
                                                    "ON", "y", "Y",    "yes",  "Yes",  "YES", "1"};
  static const std::vector<std::string_view> no = {"f",   "F", "false", "False", "FALSE", "off", "Off",
                                                   "OFF", "n", "N",     "no",    "No",    "NO",  "0"};
  if (std::find(yes.begin(), yes.end(), input.text()) != yes.end()) return true;
  if (std::find(no.begin(), no.end(), input.text()) != no.end()) return false;
  return std::nullopt;
}

// PostgreSQL's text can't hold NUL.
bool storable(const Json& input) {
  return input.is_string() && input.text().find('\0') == std::string_view::npos;
}

bool lists_objects(const Field& field) {
  return field.item && field.item->type == Type::object && field.item->fields;
}

Json validate_list(const Field& field, const Json& input, Json& errors);

// The converted value; `errors` is set when it isn't one of the type.
Json convert(const Field& field, const Json& input, Json& errors) {
  errors = Json();
  switch (field.type) {
    case Type::string:
      if (storable(input)) return input;
      break;
    case Type::integer:
      if (const auto number = to_integer(input)) {
        if (!is_too_large(field, input, *number)) return number->value;
        errors = Json::array({"Number too large."});
        return Json();
      }
      break;
    case Type::number:
      if (input.is_number() && input.is_finite()) return input;
      break;
    case Type::boolean:
      if (const auto value = to_boolean(input)) return Json(*value);
      break;
    case Type::uuid:
      if (input.is_string()) {
        if (const auto value = canonical_uuid(input.text())) return Json(*value);
      }
      break;
    case Type::email:
      if (storable(input) && is_email(input.text())) return input;
      // A malformed address is a failed check of a text, not a wrong type: its error is a list.
      if (input.is_string()) {
        errors = Json::array({type_error(Type::email)});
        return Json();
      }
      break;
    case Type::list:
      if (input.is_array()) return validate_list(field, input, errors);
      // A list of objects is an object, said many times: so clients read it in the error.
      errors = type_error(lists_objects(field) ? Type::object : Type::list);
      return Json();
    case Type::object: {
      if (!input.is_object()) break;
      if (!field.fields) return input;
      Validated nested = validate(*field.fields, input);
      errors = std::move(nested.errors);
      return std::move(nested.value);
    }
    case Type::any:
      return input;
  }
  errors = type_error(field.type);
  return Json();
}

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::optional<Json> length_error(const Field& field, const Json& value) {
  if (!field.min_length && !field.max_length) return std::nullopt;
  const std::size_t length = value.is_string() ? code_points(value.text()) : value.size();
  if ((!field.min_length || length >= *field.min_length) && (!field.max_length || length <= *field.max_length))
    return std::nullopt;
  const Json low = field.min_length ? Json(static_cast<std::int64_t>(*field.min_length)) : Json();
  const Json high = field.max_length ? Json(static_cast<std::int64_t>(*field.max_length)) : Json();
  std::string message;
  if (field.min_length && field.max_length)
    message = "Length must be between " + number(low.integer()) + " and " + number(high.integer()) + ".";
  else if (field.min_length)
    message = "Shorter than minimum length " + number(low.integer()) + ".";
  else
    message = "Longer than maximum length " + number(high.integer()) + ".";
  return check_object(message, "length", Json::object({{"min", low}, {"max", high}}));
}

std::optional<Json> range_error(const Field& field, const Json& value) {
  if ((!field.minimum || value.integer() >= *field.minimum) && (!field.maximum || value.integer() <= *field.maximum))
    return std::nullopt;
  std::string message = "Must be greater than or equal to " + number(field.minimum.value_or(0));
  Json constraint = Json::object({{"min", Json(field.minimum.value_or(0))}});
  if (field.maximum) {
    message += " and less than or equal to " + number(*field.maximum);
    constraint.set("max", Json(*field.maximum));
  }
  return check_object(message + ".", "range", std::move(constraint));
}

std::optional<Json> choice_error(const Field& field, const Json& value) {
  if (field.choices.empty()) return std::nullopt;
  if (std::find(field.choices.begin(), field.choices.end(), value.text()) != field.choices.end()) return std::nullopt;
  std::string message = "Must be one of: ";
  for (const std::string& choice : field.choices) message += (&choice == &field.choices.front() ? "" : ", ") + choice;
  return check_object(message + ".", "enum", Json::object({{"choices", Json::strings(field.choices)}}));
}

// Patterns are ^[class]+$, where the class is letters, digits, '_' and perhaps '-'; Python's $ lets a newline follow.
std::optional<Json> pattern_error(const Field& field, const Json& value) {
  if (field.pattern.empty()) return std::nullopt;
  std::string_view text = value.text();
  if (text.ends_with('\n')) text.remove_suffix(1);
  const bool dash = field.pattern.find("-]") != std::string::npos;
  const bool fits = !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return c < 128 && (std::isalnum(c) || c == '_' || (dash && c == '-'));
  });
  if (fits) return std::nullopt;
  return check_object("String does not match expected pattern.", "regex", field.pattern);
}

Json failed_checks(const Field& field, const Json& value) {
  Json failed = Json::array();
  if (auto error = length_error(field, value)) failed.append(std::move(*error));
  if (field.type == Type::integer) {
    if (auto error = range_error(field, value)) failed.append(std::move(*error));
  }
  if (value.is_string()) {
    if (auto error = pattern_error(field, value)) failed.append(std::move(*error));
    if (auto error = choice_error(field, value)) failed.append(std::move(*error));
  }
  if (field.check) {
    if (auto error = field.check(value)) failed.append(std::move(*error));
  }
  return failed;
}

Json validate_field(const Field& field, const Json& input, Json& errors) {
  errors = Json();
  if (input.is_null()) {
    if (!field.nullable) errors = check_object("Field may not be null.", "not_null", "not_null");
    return Json();
  }
  Json value = convert(field, input, errors);
  if (!errors.is_null()) return Json();
  Json failed = failed_checks(field, value);
  if (failed.size() > 0) errors = std::move(failed);
  return value;
}

// An object of a list is a body of its own: nothing counts as {}, and what is no object fails as a whole.
Json validate_object_item(const Schema& schema, const Json& item, Json& errors) {
  Validated valid = validate(schema, item.is_falsy() ? Json::object() : item);
  errors = std::move(valid.errors);
  return std::move(valid.value);
}

Json validate_list(const Field& field, const Json& input, Json& errors) {
  if (!field.item) return input;
  Json::Items values;
  Json::Members failed;  // by their index
  for (const Json& item : input.items()) {
    Json error;
    Json value = lists_objects(field) ? validate_object_item(*field.item->fields, item, error)
                                      : validate_field(*field.item, item, error);
    if (!error.is_null()) failed.emplace_back(std::to_string(values.size()), std::move(error));
    values.push_back(std::move(value));
  }
  if (!failed.empty()) errors = Json(std::move(failed));
  return Json(std::move(values));
}

}  // namespace

Validated validate(const Schema& schema, const Json& input) {
  Validated result{Json::object(), Json()};
  if (!input.is_object()) {
    result.errors = Json::object({{"_schema", Json::array({Json("Invalid input type.")})}});
    return result;
  }
  Json errors = Json::object();
  for (const Field& field : schema.fields) {
    if (!input.has(field.name)) {
      if (field.required)
        errors.set(field.name, check_object("Missing data for required field.", "required", "required"));
      else if (field.fallback)
        result.value.set(field.name, *field.fallback);
      continue;
    }
    Json error;
    Json value = validate_field(field, input.get(field.name), error);
    if (error.is_null())
      result.value.set(field.name, std::move(value));
    else
      errors.set(field.name, std::move(error));
  }
  if (errors.size() == 0) {
    Json texts = Json::array();
    for (const auto& check : schema.whole) {
      if (const auto text = check(result.value)) texts.append(*text);
    }
    if (texts.size() > 0) errors.set("_schema", std::move(texts));
  }
  if (errors.size() > 0) result.errors = std::move(errors);
  return result;
}

std::shared_ptr<const Schema> shape(std::string name, std::vector<Field> always, std::vector<Field> sometimes) {
  Schema schema;
  schema.name = std::move(name);
  schema.fields = std::move(always);
  for (Field& field : schema.fields) field.required = true;
  schema.fields.insert(schema.fields.end(), sometimes.begin(), sometimes.end());
  return std::make_shared<const Schema>(std::move(schema));
}

Field object_of(std::shared_ptr<const Schema> fields, std::string name) {
  return {.name = std::move(name), .type = Type::object, .fields = std::move(fields)};
}

Field list_of(Field item, std::string name) {
  return {.name = std::move(name), .type = Type::list, .item = std::make_shared<const Field>(std::move(item))};
}

}  // namespace wazoauth
