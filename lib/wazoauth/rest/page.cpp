#include "wazoauth/rest/page.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/base/json_text.h"
#include "wazoauth/base/text.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/master_tenant.h"
#include "wazoauth/store/statements.h"

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

std::string row_text(const Rows& rows, std::size_t row, const Schema& shape) {
  std::string text;
  RowWriter(rows, shape).write(text, row);
  return text;
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
  return json_response(row_text(rows, 0, shape));
}

Response page_response(const Rows& rows, const Schema& item) {
  std::string text =
      "{\"filtered\": " + count(rows, "filtered") + ", \"total\": " + count(rows, "total") + ", \"items\": ";
  append_items(text, rows, item);
  return json_response(std::move(text += '}'));
}

Response list_response(const Rows& rows, const Schema& item) {
  std::string text = "{\"items\": ";
  append_items(text, rows, item);
  return json_response(std::move(text += ", \"total\": " + count(rows, "total") + "}"));
}

Response empty_page() {
  return json_response(R"({"filtered": 0, "total": 0, "items": []})");
}

std::vector<Variant> sort_variants(const ListQuery& query) {
  return {{"order", query.order}, {"direction", query.descending ? "DESC" : "ASC"}};
}

std::optional<std::string> filter_of(const Request& request, std::string_view name) {
  return query_parameter(request.query, name);
}

std::optional<std::string> filter_unless_empty(const Request& request, std::string_view name) {
  auto value = filter_of(request, name);
  return value && value->empty() ? std::nullopt : value;
}

// -- statements
// --------------------------------------------------------------------------------------------------------

namespace {

// Whether indexes of trigrams find anything by it: they want three letters or digits in a row.
bool has_trigram(std::string_view pattern) {
  std::size_t run = 0;
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    run = byte >= 0x80 || std::isalnum(byte) ? run + 1 : 0;
    if (run == 3) return true;
  }
  return false;
}

// PostgreSQL plans without knowing the limit; this tells it that few rows are wanted.
std::string ahead(const ListQuery& query) {
  if (!query.limit) return "";
  for (const std::int64_t most : {128, 2048}) {
    if (query.offset <= most && *query.limit <= most - query.offset) return "LIMIT " + std::to_string(most);
  }
  return "";
}

}  // namespace

Page::Page(std::string resource, std::string_view table, std::string_view tenant, const ListQuery& query)
    : resource_(std::move(resource)), table_(table), tenant_(tenant), query_(query) {}

std::string Page::placed(std::string_view text, const Param& value) {
  std::string result(text);
  if (result.find('?') == std::string::npos) return result;
  params_.push_back(value);
  replace_all(result, "?", "$" + std::to_string(params_.size()));
  return result;
}

// The tenant is one parameter, however often it stands in the statement: PostgreSQL wants to know the type of each.
std::string Page::of_column(std::string_view name, const Param& tenant) {
  if (tenant_number_.empty()) tenant_number_ = placed("?", tenant);
  std::string text = fragment(name);
  replace_all(text, "?", tenant_number_);
  replace_all(text, "{tenant}", tenant_);
  return text;
}

Page& Page::of_tenant(Context& context, const std::string& tenant, bool subtree) {
  if (subtree) {
    const bool everything = tenant == context.services.master_tenant.uuid(context.db());
    scope_ = where_ = everything ? "true" : of_column("scope.subtree", tenant);
    return *this;
  }
  scope_ = of_column("scope.tenant", tenant);
  if (query_.search_pattern && has_trigram(*query_.search_pattern)) {
    where_ = of_column("scope.tenant_of_found", tenant);
  } else if (!ahead(query_).empty()) {
    where_ = of_column("scope.tenant_in_order", tenant);
    by_tenant_ = tenant_ + (query_.descending ? " DESC, " : " ASC, ");
  } else {
    where_ = scope_;
  }
  return *this;
}

Page& Page::scoped(std::string_view name, const Param& value) {
  const std::string text = placed(fragment(name), value);
  scope_ += (scope_.empty() ? "" : " AND ") + text;
  where_ += (where_.empty() ? "" : " AND ") + text;
  return *this;
}

Page& Page::widened(std::string_view name, const Param& value) {
  words_.emplace_back("in_scope", "(" + scope_ + ")");
  scope_ = where_ = placed(fragment(name), value);
  by_tenant_.clear();
  return *this;
}

Page& Page::filtered(std::string_view name, const Param& value) {
  where_ += " AND " + placed(fragment(name), value);
  narrowed_ = true;
  return *this;
}

Page& Page::filtered_by_columns(const Context& context, const std::vector<std::string>& unless_empty) {
  for (const std::string& name : context.route.list->columns) {
    const bool may_be_empty = std::find(unless_empty.begin(), unless_empty.end(), name) == unless_empty.end();
    const auto value = may_be_empty ? filter_of(context.request, name) : filter_unless_empty(context.request, name);
    if (value) filtered(resource_ + ".by." + name, *value);
  }
  return *this;
}

Page& Page::with(std::string_view word, std::string_view text, const Param& value) {
  words_.emplace_back(word, placed(text, value));
  return *this;
}

void Page::search() {
  if (!query_.search_pattern) return;
  if (has_trigram(*query_.search_pattern)) {
    with_ = placed(fragment(resource_ + ".found"), *query_.search_pattern);
    filtered(resource_ + ".among_found", nullptr);
  } else {
    filtered(resource_ + ".matching", *query_.search_pattern);
  }
}

Rows Page::run(UnitOfWork& unit) {
  search();
  const std::string limit = placed("?::bigint", query_.limit), offset = placed("?::bigint", query_.offset);
  const std::string sort = by_tenant_ + table_ + "." + query_.order + (query_.descending ? " DESC" : " ASC");
  const std::string first = ahead(query_);
  std::vector<Variant> variants = {
      {"with", with_}, {"where", where_}, {"scope", scope_}, {"narrowed", narrowed_ ? "true" : "false"},
      {"sort", sort},  {"ahead", first},  {"limit", limit},  {"offset", offset}};
  for (const auto& [word, text] : words_) variants.emplace_back(word, text);
  return unit.run(resource_ + ".page", params_, variants);
}

}  // namespace wazoauth
