#include "wazoauth/base/json.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

#include "wazoauth/base/text.h"

namespace wazoauth {
namespace {

json_t* make_string(std::string_view s) {
  // json_stringn refuses what isn't UTF-8.
  json_t* value = json_stringn(s.data(), s.size());
  if (value != nullptr) return value;
  const std::string valid = replace_invalid_utf8(s);
  value = json_stringn(valid.data(), valid.size());
  return value != nullptr ? value : throw std::bad_alloc();
}

void append_escape(std::string& out, unsigned unit) {
  constexpr char digits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[(unit >> shift) & 0xf];
}

void append_ascii(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      if (c < 0x20 || c == 0x7f) {
        append_escape(out, c);
      } else {
        out += static_cast<char>(c);
      }
  }
}

// `s` is valid UTF-8: jansson holds nothing else.
void dump_string(std::string& out, std::string_view s) {
  out += '"';
  for (std::size_t i = 0; i < s.size();) {
    const auto lead = static_cast<unsigned char>(s[i++]);
    if (lead < 0x80) {
      append_ascii(out, lead);
      continue;
    }
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    unsigned code = lead & (0x3f >> more);
    for (int n = 0; n < more && i < s.size(); ++n) code = code << 6 | (static_cast<unsigned char>(s[i++]) & 0x3f);
    if (code >= 0x10000) {
      append_escape(out, 0xd7c0 + (code >> 10));
      append_escape(out, 0xdc00 | (code & 0x3ff));
    } else {
      append_escape(out, code);
    }
  }
  out += '"';
}

// The shortest text that reads back as `d`, with ".0" or an exponent so that it stays a real.
void dump_real(std::string& out, double d) {
  char text[40];
  const double size = std::fabs(d);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto result = std::to_chars(text, text + sizeof text, d, format);
  const std::string_view digits(text, result.ptr - text);
  out += digits;
  if (fixed && digits.find('.') == std::string_view::npos) out += ".0";
}

void dump_value(std::string& out, const json_t* value) {
  switch (json_typeof(value)) {
    case JSON_NULL:
      out += "null";
      break;
    case JSON_TRUE:
      out += "true";
      break;
    case JSON_FALSE:
      out += "false";
      break;
    case JSON_INTEGER:
      out += std::to_string(json_integer_value(value));
      break;
    case JSON_REAL:
      dump_real(out, json_real_value(value));
      break;
    case JSON_STRING:
      dump_string(out, {json_string_value(value), json_string_length(value)});
      break;
    case JSON_ARRAY:
      out += '[';
      for (std::size_t i = 0; i < json_array_size(value); ++i) {
        if (i != 0) out += ", ";
        dump_value(out, json_array_get(value, i));
      }
      out += ']';
      break;
    case JSON_OBJECT: {
      out += '{';
      bool first = true;
      auto* object = const_cast<json_t*>(value);  // jansson's iterators want it so; nothing is changed
      for (void* it = json_object_iter(object); it != nullptr; it = json_object_iter_next(object, it)) {
        if (!first) out += ", ";
        first = false;
        dump_string(out, {json_object_iter_key(it), json_object_iter_key_len(it)});
        out += ": ";
        dump_value(out, json_object_iter_value(it));
      }
      out += '}';
      break;
    }
  }
}

[[noreturn]] void wrong_type(const char* wanted) {
  throw std::logic_error(std::string("a JSON value is not ") + wanted);
}

}  // namespace

Json::Json(double d) : value_(std::isfinite(d) ? json_real(d) : json_null()) {
  if (value_ == nullptr) throw std::bad_alloc();
}

Json::Json(std::string_view s) : value_(make_string(s)) {}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json result = object();
  for (const auto& [key, value] : members) result.set(key, value);
  return result;
}

Json Json::array(std::initializer_list<Json> items) {
  Json result = array();
  for (const auto& item : items) result.append(item);
  return result;
}

Json Json::strings(const std::vector<std::string>& items) {
  Json result = array();
  for (const auto& item : items) result.append(item);
  return result;
}

std::string Json::dump() const {
  std::string out;
  dump_value(out, value_);
  return out;
}

bool Json::is_falsy() const {
  switch (json_typeof(value_)) {
    case JSON_NULL:
    case JSON_FALSE:
      return true;
    case JSON_TRUE:
      return false;
    case JSON_INTEGER:
      return json_integer_value(value_) == 0;
    case JSON_REAL:
      return json_real_value(value_) == 0;
    case JSON_STRING:
      return json_string_length(value_) == 0;
    default:
      return size() == 0;
  }
}

std::string_view Json::text() const {
  if (!is_string()) wrong_type("a string");
  return {json_string_value(value_), json_string_length(value_)};
}

std::int64_t Json::integer() const {
  if (!is_integer()) wrong_type("an integer");
  return json_integer_value(value_);
}

double Json::number() const {
  if (!is_number()) wrong_type("a number");
  return json_number_value(value_);
}

bool Json::boolean() const {
  if (!is_boolean()) wrong_type("a boolean");
  return json_is_true(value_);
}

std::size_t Json::size() const {
  return is_array() ? json_array_size(value_) : json_object_size(value_);
}

bool Json::has(std::string_view key) const {
  return json_object_getn(value_, key.data(), key.size()) != nullptr;
}

Json Json::get(std::string_view key) const {
  json_t* member = json_object_getn(value_, key.data(), key.size());
  return member != nullptr ? Json(json_incref(member), Adopt{}) : Json();
}

Json Json::at(std::size_t index) const {
  json_t* item = json_array_get(value_, index);
  return item != nullptr ? Json(json_incref(item), Adopt{}) : Json();
}

std::string Json::text_or(std::string_view key, std::string_view fallback) const {
  const json_t* member = json_object_getn(value_, key.data(), key.size());
  if (!json_is_string(member)) return std::string(fallback);
  return {json_string_value(member), json_string_length(member)};
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> result;
  result.reserve(json_object_size(value_));
  for (void* it = json_object_iter(value_); it != nullptr; it = json_object_iter_next(value_, it)) {
    result.emplace_back(std::string(json_object_iter_key(it), json_object_iter_key_len(it)),
                        Json(json_incref(json_object_iter_value(it)), Adopt{}));
  }
  return result;
}

std::vector<Json> Json::items() const {
  std::vector<Json> result;
  result.reserve(json_array_size(value_));
  for (std::size_t i = 0; i < json_array_size(value_); ++i) {
    result.push_back(Json(json_incref(json_array_get(value_, i)), Adopt{}));
  }
  return result;
}

Json& Json::set(std::string_view key, const Json& value) {
  if (!is_object()) wrong_type("an object");
  if (json_object_setn(value_, key.data(), key.size(), value.value_) == 0) return *this;
  const std::string valid = replace_invalid_utf8(key);
  if (json_object_setn(value_, valid.data(), valid.size(), value.value_) != 0) wrong_type("fit to hold itself");
  return *this;
}

Json& Json::append(const Json& value) {
  if (!is_array()) wrong_type("an array");
  if (json_array_append(value_, value.value_) != 0) wrong_type("fit to hold itself");
  return *this;
}

void Json::erase(std::string_view key) {
  json_object_deln(value_, key.data(), key.size());
}

std::optional<std::string> text_of(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return std::string(value.text());
}

}  // namespace wazoauth
