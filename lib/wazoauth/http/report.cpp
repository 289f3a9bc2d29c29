#include "wazoauth/http/report.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/base/text.h"
#include "wazoauth/http/problem.h"

namespace wazoauth {

namespace {

std::string python_string(std::string_view text) {
  const char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string literal(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      literal += '\\';
      literal += c;
    } else if (c == '\n') {
      literal += "\\n";
    } else if (c == '\r') {
      literal += "\\r";
    } else if (c == '\t') {
      literal += "\\t";
    } else if (byte < 32 || byte == 127) {
      literal += "\\x" + to_hex({&c, 1});
    } else {
      literal += c;
    }
  }
  return literal + quote;
}

bool is_index(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

std::string python_literal(const Json& value) {
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.boolean() ? "True" : "False";
  if (value.is_string()) return python_string(value.text());
  std::string text;
  if (value.is_array()) {
    for (const Json& item : value.items()) text += (text.empty() ? "" : ", ") + python_literal(item);
    return "[" + text + "]";
  }
  if (!value.is_object()) return value.dump();
  for (const auto& [key, member] : value.members())
    text += (text.empty() ? "" : ", ") + (is_index(key) ? key : python_string(key)) + ": " + python_literal(member);
  return "{" + text + "}";
}

namespace {

// The first check that failed, in the same nesting; `message` gets its text.
Json first_check(const Json& error, std::string& message) {
  if (error.is_array()) return first_check(error.at(0), message);
  if (error.is_string()) {
    message = error.text();
    return Json::object({{"message", error}});
  }
  if (error.has("constraint_id")) {
    message = error.text_or("message", "");
    return error;
  }
  const auto& members = error.members();
  if (members.empty()) return error;
  return Json::object({{members.front().first, first_check(members.front().second, message)}});
}

}  // namespace

void report(Report how, const Json& errors, std::string_view resource) {
  switch (how) {
    case Report::python:
      throw Problem::with_reason(400, python_literal(errors));
    case Report::field:
      throw Problem::with_reason(400, "Invalid value supplied for field: " + errors.members().front().first);
    case Report::map:
      throw Problem::with_error_id(400, "invalid-data", errors, Json::object(), resource);
    case Report::list_parameters:
      throw Problem::with_error_id(400, "invalid-list-param", errors, Json::object(), "users");
    case Report::text:
      if (errors.has("_schema"))
        throw Problem::with_error_id(400, "invalid-data", errors.get("_schema"), Json::object(), resource);
      break;
    case Report::name:
      throw problems::invalid_data(errors.members().front().first, Json::object(), resource);
    case Report::list_parameter:
    case Report::first:
      break;
  }
  std::string message;
  const Json details = first_check(errors, message);
  if (how == Report::text) throw problems::invalid_data(message, Json::object(), resource);
  if (how == Report::list_parameter) throw Problem::with_error_id(400, "invalid-list-param", message, details, "users");
  throw problems::invalid_data(message, details, resource);
}

}  // namespace wazoauth
