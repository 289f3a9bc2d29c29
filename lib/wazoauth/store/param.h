// A parameter of a statement, as text or NULL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

class Param {
 public:
  Param(std::nullopt_t) {}
  Param(std::nullptr_t) {}
  Param(std::string value) : value_(std::move(value)) {}
  Param(std::string_view value) : value_(value) {}
  Param(const char* value) : value_(value) {}
  Param(const std::optional<std::string>& value) : value_(value) {}
  Param(bool value) : value_(value ? "true" : "false") {}
  Param(int value) : value_(std::to_string(value)) {}
  Param(std::int64_t value) : value_(std::to_string(value)) {}
  Param(std::uint64_t value) : value_(std::to_string(value)) {}
  Param(const std::optional<std::int64_t>& value) {
    if (value) value_ = std::to_string(*value);
  }
  Param(const std::vector<std::string>& items);  // a text[] literal
  const std::optional<std::string>& value() const { return value_; }

 private:
  std::optional<std::string> value_;
};

}  // namespace wazoauth
