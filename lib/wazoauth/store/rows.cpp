#include "wazoauth/store/rows.h"

#include <libpq-fe.h>

#include "wazoauth/store/rows_data.h"

namespace wazoauth {

std::size_t Rows::size() const {
  return data_->result.size();
}
std::size_t Rows::affected() const {
  return data_->result.affected_rows();
}

namespace {
pqxx::field field(const pqxx::result& result, std::size_t row, std::string_view column) {
  return result.at(static_cast<pqxx::result::size_type>(row)).at(std::string(column));
}
}  // namespace

bool Rows::is_null(std::size_t row, std::string_view column) const {
  return field(data_->result, row, column).is_null();
}

std::string Rows::text(std::size_t row, std::string_view column) const {
  return optional_text(row, column).value_or("");
}

std::optional<std::string> Rows::optional_text(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return std::nullopt;
  return std::string(cell.c_str(), cell.size());
}

std::int64_t Rows::integer(std::size_t row, std::string_view column) const {
  return optional_integer(row, column).value_or(0);
}

std::optional<std::int64_t> Rows::optional_integer(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return std::nullopt;
  return std::stoll(cell.c_str());
}

bool Rows::boolean(std::size_t row, std::string_view column) const {
  const pqxx::field cell = field(data_->result, row, column);
  return !cell.is_null() && cell.c_str()[0] == 't';
}

std::vector<std::string> Rows::texts(std::size_t row, std::string_view column) const {
  std::vector<std::string> items;
  const pqxx::field cell = field(data_->result, row, column);
  if (cell.is_null()) return items;
  pqxx::array_parser parser(cell.c_str());
  using Juncture = pqxx::array_parser::juncture;
  for (auto [juncture, item] = parser.get_next(); juncture != Juncture::done;
       std::tie(juncture, item) = parser.get_next()) {
    if (juncture == Juncture::string_value) items.push_back(item);
  }
  return items;
}

Json Rows::json(std::size_t row, std::string_view column) const {
  const auto cell = optional_text(row, column);
  if (!cell) return Json();
  return Json::parse(*cell).value_or(Json());
}

int Rows::column(const std::string& name) const {
  for (pqxx::row::size_type i = 0; i < data_->result.columns(); ++i) {
    if (name == data_->result.column_name(i)) return i;
  }
  return -1;
}

std::optional<std::string_view> Rows::raw(std::size_t row, int column) const {
  const pqxx::field cell = data_->result[static_cast<pqxx::result::size_type>(row)][column];
  if (cell.is_null()) return std::nullopt;
  return std::string_view(cell.c_str(), cell.size());
}

std::string Rows::bytes(std::size_t row, std::string_view column) const {
  const auto cell = optional_text(row, column);
  if (!cell) return "";
  std::size_t size = 0;
  unsigned char* raw = PQunescapeBytea(reinterpret_cast<const unsigned char*>(cell->c_str()), &size);
  std::string value(reinterpret_cast<char*>(raw), size);
  PQfreemem(raw);
  return value;
}

}  // namespace wazoauth
