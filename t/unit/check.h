// cmocka for C++: include this, and no header of cmocka's. A check in a loop says which case failed, and where.
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

extern "C" {
#include <cmocka.h>
}
#undef fail  // macros of such names break headers of the standard library
#undef fail_msg

namespace check {

using Where = std::source_location;

[[noreturn]] inline void failed(const std::string& message, const Where& where = Where::current()) {
  print_error("%s\n", message.c_str());
  _fail(where.file_name(), static_cast<int>(where.line()));
  __builtin_unreachable();
}

inline void that(bool holds, std::string_view name, const Where& where = Where::current()) {
  if (!holds) failed("not so: " + std::string(name), where);
}
inline void never(bool holds, std::string_view name, const Where& where = Where::current()) {
  if (holds) failed("so, and should not be: " + std::string(name), where);
}

template <typename T>
std::string shown(const T& value) {
  std::ostringstream out;
  out << std::boolalpha << value;
  return out.str();
}
template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "nothing";
}
inline std::string shown(std::nullopt_t) {
  return "nothing";
}

// Arrays of characters compare as texts.
template <typename T>
decltype(auto) comparable(const T& value) {
  if constexpr (std::is_array_v<T>)
    return std::string_view(value);
  else
    return (value);
}

// `name`: of the case, where a loop tries several.
template <typename Actual, typename Expected>
void equal(const Actual& actual, const Expected& expected, std::string_view name = {},
           const Where& where = Where::current()) {
  if (comparable(actual) == comparable(expected)) return;
  const std::string of = name.empty() ? "" : std::string(name) + ": ";
  failed(of + "is \"" + shown(actual) + "\", not \"" + shown(expected) + "\"", where);
}

}  // namespace check
