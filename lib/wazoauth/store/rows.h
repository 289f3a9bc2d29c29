// The rows that a statement returned.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

struct RowsData;  // libpqxx's result, in rows_data.h

// Rows of an answer; columns by name or number. Copies share the data.
class Rows {
 public:
  explicit Rows(std::shared_ptr<const RowsData> data) : data_(std::move(data)) {}
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  std::size_t affected() const;  // of INSERT, UPDATE, DELETE

  bool is_null(std::size_t row, std::string_view column) const;
  std::string text(std::size_t row, std::string_view column) const;  // "" for NULL
  std::optional<std::string> optional_text(std::size_t row, std::string_view column) const;
  std::int64_t integer(std::size_t row, std::string_view column) const;  // 0 for NULL
  std::optional<std::int64_t> optional_integer(std::size_t row, std::string_view column) const;
  bool boolean(std::size_t row, std::string_view column) const;                    // false for NULL
  std::vector<std::string> texts(std::size_t row, std::string_view column) const;  // text[]; {} for NULL
  Json json(std::size_t row, std::string_view column) const;          // of json, jsonb or JSON text; null for NULL
  std::string bytes(std::size_t row, std::string_view column) const;  // bytea

  // By number, for many rows: the column's, or -1; and its text as it lies there, nullopt for NULL.
  int column(const std::string& name) const;
  std::optional<std::string_view> raw(std::size_t row, int column) const;

 private:
  std::shared_ptr<const RowsData> data_;
};

}  // namespace wazoauth
