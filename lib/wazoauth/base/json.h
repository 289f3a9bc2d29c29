// A JSON value: a counted reference to a jansson value, with value-like reading and building.
//
// Copies are cheap and share the value (as in Python); `set` and `append` change the shared value. Reading a value of
// another type than asked for throws std::logic_error: check first, or use the getters with a default.
#pragma once

#include <jansson.h>

#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

class Json {
 public:
  Json() : value_(json_null()) {}
  Json(std::nullptr_t) : value_(json_null()) {}
  Json(bool b) : value_(json_boolean(b)) {}
  Json(int n) : value_(json_integer(n)) {}
  Json(std::int64_t n) : value_(json_integer(n)) {}
  Json(double d);            // NaN and infinities become null: JSON has no such numbers
  Json(std::string_view s);  // invalid UTF-8 is replaced by U+FFFD, never refused
  Json(const std::string& s) : Json(std::string_view(s)) {}
  Json(const char* s) : Json(std::string_view(s)) {}
  Json(const std::optional<std::string>& s) : Json(s ? Json(*s) : Json()) {}
  Json(const Json& other) : value_(json_incref(other.value_)) {}
  Json(Json&& other) noexcept : value_(std::exchange(other.value_, json_null())) {}
  Json& operator=(Json other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Json() { json_decref(value_); }

  static Json object() { return Json(json_object(), Adopt{}); }
  static Json array() { return Json(json_array(), Adopt{}); }
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);
  static Json array(std::initializer_list<Json> items);
  static Json strings(const std::vector<std::string>& items);

  // Any JSON text in UTF-8, UTF-16 or UTF-32 (with or without BOM); nullopt when it is not one. Depth is limited to
  // 2048; NUL in strings is accepted here and refused by the validation of fields; lone surrogates are no text.
  // Integers beyond 64 bits become reals. NaN, infinities and reals that are too big become the largest real, with the
  // sign.
  static std::optional<Json> parse(std::string_view text);

  // The wire form: ASCII only, ", " and ": ", members in insertion order, no newline at the end.
  std::string dump() const;

  bool is_null() const { return json_is_null(value_); }
  bool is_object() const { return json_is_object(value_); }
  bool is_array() const { return json_is_array(value_); }
  bool is_string() const { return json_is_string(value_); }
  bool is_integer() const { return json_is_integer(value_); }
  bool is_real() const { return json_is_real(value_); }
  bool is_number() const { return json_is_number(value_); }
  bool is_boolean() const { return json_is_boolean(value_); }
  // What Python calls false: null, false, 0, "", [], {}.
  bool is_falsy() const;

  std::string_view text() const;  // of a string; valid as long as this value lives
  std::int64_t integer() const;   // of an integer
  double number() const;          // of an integer or a real
  bool boolean() const;           // of a boolean

  std::size_t size() const;                                                    // members or items; 0 for anything else
  bool has(std::string_view key) const;                                        // false for anything but objects
  Json get(std::string_view key) const;                                        // null when absent or no object
  Json at(std::size_t index) const;                                            // null when out of range
  std::string text_or(std::string_view key, std::string_view fallback) const;  // fallback unless a string
  std::vector<std::pair<std::string, Json>> members() const;
  std::vector<Json> items() const;

  Json& set(std::string_view key, const Json& value);  // of an object
  Json& append(const Json& value);                     // of an array
  void erase(std::string_view key);
  Json deep_copy() const { return Json(json_deep_copy(value_), Adopt{}); }

  bool operator==(const Json& other) const { return json_equal(value_, other.value_) == 1; }

 private:
  struct Adopt {};
  Json(json_t* value, Adopt) : value_(value ? value : throw std::bad_alloc()) {}
  json_t* value_;
};

std::optional<std::string> text_of(const Json& value);  // nullopt for null

}  // namespace wazoauth
