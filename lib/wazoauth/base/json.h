// A JSON value: null, a boolean, an integer, a real, a text, a list or an object.
//
// A plain value: a copy is a value of its own. Reading a value of another type than asked for throws std::logic_error:
// check first, or use the getters with a default.
//
// Reading a part of a value gives a reference that lives as long as the value, and stays until the value is changed. A
// value that is about to go gives its part away instead, so `f().get("a")` and `for (... : f().items())` are safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wazoauth {

class Json {
 public:
  using Items = std::vector<Json>;
  using Members = std::vector<std::pair<std::string, Json>>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool b) : value_(b) {}
  Json(int n) : value_(std::int64_t{n}) {}
  Json(std::int64_t n) : value_(n) {}
  Json(double d);       // NaN and infinities become null: JSON has no such numbers
  Json(std::string s);  // invalid UTF-8 is replaced by U+FFFD, never refused
  Json(std::string_view s) : Json(std::string(s)) {}
  Json(const char* s) : Json(std::string(s)) {}
  Json(const std::optional<std::string>& s) : Json(s ? Json(*s) : Json()) {}
  explicit Json(Items items) : value_(std::move(items)) {}
  // Of members with the same name the last one counts, at the place of the first. Where a client decides how many there
  // are, build an object in this way: each set() compares its name with all that are there.
  explicit Json(Members members);

  // The usual ones. Written out in every file that has values they would make the module a good deal bigger.
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  struct Named;
  static Json object() { return Json(Members()); }
  static Json array() { return Json(Items()); }
  static Json object(std::initializer_list<Named> members);
  static Json array(std::initializer_list<Json> items) { return Json(Items(items)); }
  static Json strings(const std::vector<std::string>& items);

  // Any JSON text in UTF-8, UTF-16 or UTF-32 (with or without BOM); nullopt when it is not one. It may be 950 levels
  // deep, and an integer may have 4,300 digits, about as much as the Python daemon reads: both read one database. NUL
  // in strings is accepted here and refused by the validation of fields; lone surrogates are no text. NaN, infinities
  // and reals that are too big are reals that aren't finite.
  static std::optional<Json> parse(std::string_view text);

  // The wire form: ASCII only, ", " and ": ", members in insertion order, no newline at the end. Reals that aren't
  // finite are null in it.
  std::string dump() const;

  bool is_null() const { return is<std::monostate>(); }
  bool is_object() const { return is<Members>(); }
  bool is_array() const { return is<Items>(); }
  bool is_string() const { return is<std::string>(); }
  bool is_integer() const { return is<std::int64_t>(); }
  bool is_real() const { return is<double>() || is<BigInteger>(); }
  bool is_number() const { return is_integer() || is_real(); }
  bool is_boolean() const { return is<bool>(); }
  bool is_finite() const;  // no number in it, however deep, is NaN or infinite
  // What Python calls false: null, false, 0, "", [], {}.
  bool is_falsy() const;

  std::string_view text() const&;  // of a string
  std::string text() &&;
  std::int64_t integer() const;  // of an integer
  double number() const;         // of an integer or a real; an integer may be too big for any finite one
  bool boolean() const;          // of a boolean

  std::size_t size() const;                                                // members or items; 0 for anything else
  bool has(std::string_view name) const { return find(name) != nullptr; }  // false for anything but objects
  const Json& get(std::string_view name) const&;                           // null when absent or no object
  Json get(std::string_view name) &&;
  const Json& at(std::size_t index) const&;  // null when out of range
  Json at(std::size_t index) &&;
  std::string text_or(std::string_view name, std::string_view fallback) const;  // fallback unless a string
  const Members& members() const&;                                              // none of anything but objects
  Members members() &&;
  const Items& items() const&;  // none of anything but lists
  Items items() &&;

  Json& set(std::string_view name, Json value);  // of an object; a member that is there keeps its place
  Json& append(Json value);                      // of a list
  void erase(std::string_view name);

  // Members may be in any order; 1 and 1.0 are different.
  bool operator==(const Json& other) const;

 private:
  friend class JsonParser;
  // One beyond 64 bits. It is written as it was read; for whoever reads it, it is a real.
  struct BigInteger {
    std::string digits;
    bool operator==(const BigInteger&) const = default;
  };

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(value_);
  }
  void dump_to(std::string& out) const;
  const Json* find(std::string_view name) const;
  Json* find(std::string_view name);

  std::variant<std::monostate, bool, std::int64_t, double, BigInteger, std::string, Items, Members> value_;
};

// A member as braces list it. They make it const, yet its value is used once: it is moved from there.
struct Json::Named {
  std::string_view name;
  mutable Json value;
};

std::optional<std::string> text_of(const Json& value);  // nullopt for null

}  // namespace wazoauth
