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

namespace {

// Takes one item of an array's text, up to the separator or the end; nullopt for NULL.
std::optional<std::string> take_item(std::string_view& rest) {
  const bool quoted = rest.starts_with('"');
  if (quoted) rest.remove_prefix(1);
  std::string item;
  for (; !rest.empty() && !(quoted ? rest[0] == '"' : rest[0] == ',' || rest[0] == '}'); rest.remove_prefix(1)) {
    if (rest[0] == '\\' && rest.size() > 1) rest.remove_prefix(1);
    item += rest[0];
  }
  if (quoted && !rest.empty()) rest.remove_prefix(1);
  if (!quoted && item == "NULL") return std::nullopt;
  return item;
}

}  // namespace

// {a,"b c",NULL}, as PostgreSQL writes arrays of one dimension. libpqxx's own parser takes a ';' for a separator, too:
// one access becomes two.
std::vector<std::string> Rows::texts(std::size_t row, std::string_view column) const {
  std::vector<std::string> items;
  const pqxx::field cell = field(data_->result, row, column);
  std::string_view rest = cell.is_null() ? std::string_view() : std::string_view(cell.c_str(), cell.size());
  if (!rest.starts_with('{')) return items;
  for (rest.remove_prefix(1); !rest.empty() && rest[0] != '}';) {
    if (auto item = take_item(rest)) items.push_back(std::move(*item));
    if (rest.starts_with(',')) rest.remove_prefix(1);
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
