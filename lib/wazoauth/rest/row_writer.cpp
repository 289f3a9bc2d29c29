#include "wazoauth/rest/row_writer.h"

#include <algorithm>
#include <stdexcept>

#include "wazoauth/base/json_text.h"
#include "wazoauth/base/temporary_file.h"

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

std::size_t RowWriter::write(std::string& out, std::size_t row) {
  const std::size_t count = rows_of_object(row);
  write_members(out, row, count, members_);
  return count;
}

std::size_t RowWriter::write_more(std::string& out, std::size_t& end, std::string_view uuid) {
  if (uuid_ < 0 || rows_.raw(0, uuid_) != uuid) return 0;
  const auto list = std::find_if(members_.begin(), members_.end(),
                                 [](const Member& member) { return member.type == Type::list && member.column < 0; });
  const std::size_t count = rows_of_object(0);
  std::string items;
  for (std::size_t row = 0; row < count; ++row) {
    items += ", ";
    write_members(items, row, 1, list->inner);
  }
  out.insert(end, items);
  end += items.size();
  return count;
}

std::size_t RowWriter::rows_of_object(std::size_t row) const {
  std::size_t count = 1;
  if (uuid_ < 0) return count;
  const auto uuid = rows_.raw(row, uuid_);
  while (row + count < rows_.size() && rows_.raw(row + count, uuid_) == uuid) ++count;
  return count;
}

void RowWriter::write_members(std::string& out, std::size_t row, std::size_t count, const Members& members) {
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
void RowWriter::write_spread(std::string& out, std::size_t row, std::size_t count, const Members& members) {
  out += '[';
  for (std::size_t i = 0; i < count && rows_.raw(row + i, members.front().column); ++i) {
    if (i > 0) out += ", ";
    write_members(out, row + i, 1, members);
  }
  end_of_spread_ = out.size();
  out += ']';
}

namespace {

constexpr std::size_t most_in_memory = 1024 * 1024;  // of a list's text, beside the last of its portions

Response json_response(std::string text) {
  Response response;
  response.body = std::move(text);
  response.body += '\n';
  return response;
}

}  // namespace

void ListWriter::add(const Rows& rows) {
  if (rows.empty()) return;
  const bool first = total_.empty();
  if (first) begin(rows);
  const int uuid = rows.column("uuid");
  if (!rows.raw(0, uuid)) return;  // nothing is listed
  RowWriter writer(rows, item_);
  std::size_t row = first ? 0 : writer.write_more(text_, last_spread_, last_);
  if (row == rows.size()) return;
  while (row < rows.size()) {
    if (!first || row > 0) text_ += ", ";
    last_begins_ = text_.size();
    row += writer.write(text_, row);
  }
  last_ = *rows.raw(rows.size() - 1, uuid);
  last_spread_ = writer.end_of_spread();
  spill();
}

void ListWriter::begin(const Rows& rows) {
  const std::int64_t total = rows.integer(0, "total");
  total_ = std::to_string(total);
  const bool counts = rows.column("filtered") >= 0;  // not every statement with {"items", "total"} has that
  const std::int64_t filtered = counts ? rows.optional_integer(0, "filtered").value_or(total) : total;
  if (form_ == ListForm::filtered)
    text_ = "{\"filtered\": " + std::to_string(filtered) + ", \"total\": " + total_ + ", \"items\": [";
  else
    text_ = "{\"items\": [";
}

void ListWriter::spill() {
  if (folder_.empty() || last_begins_ < most_in_memory) return;
  if (!file_) file_ = std::make_shared<TemporaryFile>(folder_);
  file_->append(std::string_view(text_).substr(0, last_begins_));
  text_.erase(0, last_begins_);
  if (last_spread_ > 0) last_spread_ -= last_begins_;
  last_begins_ = 0;
}

Response ListWriter::response() && {
  text_ += form_ == ListForm::filtered ? "]}" : "], \"total\": " + total_ + "}";
  if (!file_) return json_response(std::move(text_));
  file_->append(text_ += '\n');
  Response response;
  response.file = std::move(file_);
  return response;
}

Response row_response(const Rows& rows, const Schema& shape) {
  std::string text;
  RowWriter(rows, shape).write(text, 0);
  return json_response(std::move(text));
}

Response list_response(const Rows& rows, const Schema& item) {
  ListWriter writer(item, ListForm::filtered);
  writer.add(rows);
  return std::move(writer).response();
}

Response items_response(const Rows& rows, const Schema& item) {
  ListWriter writer(item, ListForm::items);
  writer.add(rows);
  return std::move(writer).response();
}

Response empty_list() {
  return json_response(R"({"filtered": 0, "total": 0, "items": []})");
}

}  // namespace wazoauth
