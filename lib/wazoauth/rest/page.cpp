#include "wazoauth/rest/page.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/app.h"
#include "wazoauth/json_text.h"
#include "wazoauth/store/statements.h"

namespace wazoauth {

std::vector<RowWriter::Member> RowWriter::members_of(const Rows& rows, const Schema& shape) {
  std::vector<Member> members;
  for (const Field& field : shape.fields) {
    Member member{members.empty() ? "" : ", ", field.type, rows.column(field.name)};
    append_json(member.key, field.name);
    member.key += ": ";
    if (member.column < 0) {
      if (!field.fields) throw std::logic_error("no column " + field.name + " for " + shape.name);
      member.inner = members_of(rows, *field.fields);
    }
    members.push_back(std::move(member));
  }
  return members;
}

RowWriter::RowWriter(const Rows& rows, const Schema& shape) : rows_(rows), members_(members_of(rows, shape)) {}

void RowWriter::write(std::string& out, std::size_t row) const {
  write_members(out, row, members_);
}

void RowWriter::write_members(std::string& out, std::size_t row, const std::vector<Member>& members) const {
  out += '{';
  for (const Member& member : members) {
    out += member.key;
    if (member.column < 0) {
      write_members(out, row, member.inner);
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

std::string items_text(const Rows& rows, const Schema& item) {
  if (!rows.raw(0, rows.column("uuid"))) return "[]";
  const RowWriter writer(rows, item);
  std::string text = "[";
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (row > 0) text += ", ";
    writer.write(text, row);
  }
  return text + "]";
}

std::string count(const Rows& rows, const char* column) {
  return std::to_string(rows.optional_integer(0, column).value_or(rows.integer(0, "total")));
}

}  // namespace

Response row_response(const Rows& rows, const Schema& shape) {
  return json_response(row_text(rows, 0, shape));
}

Response page_response(const Rows& rows, const Schema& item) {
  return json_response("{\"filtered\": " + count(rows, "filtered") + ", \"total\": " + count(rows, "total") +
                       ", \"items\": " + items_text(rows, item) + "}");
}

Response list_response(const Rows& rows, const Schema& item) {
  return json_response("{\"items\": " + items_text(rows, item) + ", \"total\": " + count(rows, "total") + "}");
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

void replace_all(std::string& text, std::string_view word, std::string_view by) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size()))
    text.replace(at, word.size(), by);
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
    const bool everything = tenant == context.app.master_tenant(context.db());
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
