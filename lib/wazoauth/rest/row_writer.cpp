#include "wazoauth/rest/row_writer.h"

#include <algorithm>
#include <stdexcept>

#include "wazoauth/base/json_text.h"

namespace wazoauth {

RowWriter::Members RowWriter::members_of(const Rows& rows, const Schema& shape, const std::string& prefix) {
  Members members;
  for (const Field& field : shape.fields) {
    Member member{members.empty() ? "" : ", ", field.type, rows.column(prefix + field.name)};
    append_json(member.key, field.name);
    member.key += ": ";
    if (member.column < 0) {
      const bool is_list = field.item && field.item->fields;
      if (!field.fields && !is_list) throw std::logic_error("no column " + prefix + field.name + " for " + shape.name);
      member.inner =
          is_list ? members_of(rows, *field.item->fields, field.name + ".") : members_of(rows, *field.fields, prefix);
    }
    members.push_back(std::move(member));
  }
  return members;
}

RowWriter::RowWriter(const Rows& rows, const Schema& shape) : rows_(rows), members_(members_of(rows, shape)) {
  const bool spread = std::any_of(members_.begin(), members_.end(),
                                  [](const Member& member) { return member.type == Type::list && member.column < 0; });
  if (spread) uuid_ = rows.column("uuid");
}

std::size_t RowWriter::write(std::string& out, std::size_t row) const {
  const std::size_t count = rows_of_object(row);
  write_members(out, row, count, members_);
  return count;
}

std::size_t RowWriter::rows_of_object(std::size_t row) const {
  std::size_t count = 1;
  if (uuid_ < 0) return count;
  const auto uuid = rows_.raw(row, uuid_);
  while (row + count < rows_.size() && rows_.raw(row + count, uuid_) == uuid) ++count;
  return count;
}

void RowWriter::write_members(std::string& out, std::size_t row, std::size_t count, const Members& members) const {
  out += '{';
  for (const Member& member : members) {
    out += member.key;
    if (member.column < 0) {
      member.type == Type::list ? write_spread(out, row, count, member.inner)
                                : write_members(out, row, count, member.inner);
      continue;
    }
    const auto value = rows_.raw(row, member.column);
    if (!value)
      out += "null";
    else if (member.type == Type::boolean)
      out += value->front() == 't' ? "true" : "false";
    else if (member.type == Type::string || member.type == Type::uuid || member.type == Type::email)
      append_json(out, *value);
    else
      append_json_text(out, *value);
  }
  out += '}';
}

// Without items there is one row, and their columns are NULL.
void RowWriter::write_spread(std::string& out, std::size_t row, std::size_t count, const Members& members) const {
  out += '[';
  for (std::size_t i = 0; i < count && rows_.raw(row + i, members.front().column); ++i) {
    if (i > 0) out += ", ";
    write_members(out, row + i, 1, members);
  }
  out += ']';
}

namespace {

Response json_response(std::string text) {
  Response response;
  response.body = std::move(text);
  response.body += '\n';
  return response;
}

// A long list's text is built where it stays: growing and copying it would cost more than writing it.
void append_items(std::string& text, const Rows& rows, const Schema& item) {
  text += '[';
  if (rows.raw(0, rows.column("uuid"))) {
    const RowWriter writer(rows, item);
    const std::size_t start = text.size();
    std::size_t row = writer.write(text, 0);
    text.reserve(start + (text.size() - start + 8) * (rows.size() / row + 1));
    while (row < rows.size()) {
      text += ", ";
      row += writer.write(text, row);
    }
  }
  text += ']';
}

std::string count(const Rows& rows, const char* column) {
  return std::to_string(rows.optional_integer(0, column).value_or(rows.integer(0, "total")));
}

}  // namespace

Response row_response(const Rows& rows, const Schema& shape) {
  std::string text;
  RowWriter(rows, shape).write(text, 0);
  return json_response(std::move(text));
}

Response list_response(const Rows& rows, const Schema& item) {
  std::string text =
      "{\"filtered\": " + count(rows, "filtered") + ", \"total\": " + count(rows, "total") + ", \"items\": ";
  append_items(text, rows, item);
  return json_response(std::move(text += '}'));
}

Response items_response(const Rows& rows, const Schema& item) {
  std::string text = "{\"items\": ";
  append_items(text, rows, item);
  return json_response(std::move(text += ", \"total\": " + count(rows, "total") + "}"));
}

Response empty_list() {
  return json_response(R"({"filtered": 0, "total": 0, "items": []})");
}

}  // namespace wazoauth
