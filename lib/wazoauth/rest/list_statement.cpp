#include "wazoauth/rest/list_statement.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/base/text.h"
#include "wazoauth/rest/master_tenant.h"
#include "wazoauth/store/statements.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

std::vector<Variant> sort_variants(const ListQuery& query) {
  return {{"order", query.order}, {"direction", query.descending ? "DESC" : "ASC"}};
}

std::optional<std::string> filter_of(const Request& request, std::string_view name) {
  return query_parameter(request.query, name);
}

namespace {

constexpr std::int64_t portion = 1000;  // of objects, and of rows

std::optional<std::string> filter_unless_empty(const Request& request, std::string_view name) {
  auto value = filter_of(request, name);
  return value && value->empty() ? std::nullopt : value;
}

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

ListStatement::ListStatement(std::string resource, std::string_view table, std::string_view tenant,
                             const ListQuery& query)
    : resource_(std::move(resource)), table_(table), tenant_(tenant), query_(query) {}

std::string ListStatement::placed(std::string_view text, const Param& value) {
  std::string result(text);
  if (result.find('?') == std::string::npos) return result;
  params_.push_back(value);
  replace_all(result, "?", "$" + std::to_string(params_.size()));
  return result;
}

// The tenant is one parameter, however often it stands in the statement: PostgreSQL wants to know the type of each.
std::string ListStatement::of_column(std::string_view name, const Param& tenant) {
  if (tenant_number_.empty()) tenant_number_ = placed("?", tenant);
  std::string text = fragment(name);
  replace_all(text, "?", tenant_number_);
  replace_all(text, "{tenant}", tenant_);
  return text;
}

ListStatement& ListStatement::of_tenant(Context& context, const std::string& tenant, bool subtree) {
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

ListStatement& ListStatement::scoped(std::string_view name, const Param& value) {
  const std::string text = placed(fragment(name), value);
  scope_ += (scope_.empty() ? "" : " AND ") + text;
  where_ += (where_.empty() ? "" : " AND ") + text;
  return *this;
}

ListStatement& ListStatement::widened(std::string_view name, const Param& value) {
  words_.emplace_back("in_scope", "(" + scope_ + ")");
  scope_ = where_ = placed(fragment(name), value);
  by_tenant_.clear();
  return *this;
}

ListStatement& ListStatement::filtered(std::string_view name, const Param& value) {
  where_ += " AND " + placed(fragment(name), value);
  narrowed_ = true;
  return *this;
}

ListStatement& ListStatement::filtered_by_columns(const Context& context,
                                                  const std::vector<std::string>& unless_empty) {
  for (const std::string& name : context.route.list->columns) {
    const bool may_be_empty = std::find(unless_empty.begin(), unless_empty.end(), name) == unless_empty.end();
    const auto value = may_be_empty ? filter_of(context.request, name) : filter_unless_empty(context.request, name);
    if (value) filtered(resource_ + ".by." + name, *value);
  }
  return *this;
}

ListStatement& ListStatement::with(std::string_view word, std::string_view text, const Param& value) {
  words_.emplace_back(word, placed(text, value));
  return *this;
}

void ListStatement::search() {
  if (!query_.search_pattern) return;
  if (has_trigram(*query_.search_pattern)) {
    with_ = placed(fragment(resource_ + ".found"), *query_.search_pattern);
    filtered(resource_ + ".among_found", nullptr);
  } else {
    filtered(resource_ + ".matching", *query_.search_pattern);
  }
}

// How many objects the whole answer has, by any of its rows.
std::int64_t ListStatement::count(const Rows& rows) const {
  const std::int64_t matching = rows.optional_integer(0, "filtered").value_or(rows.integer(0, "total"));
  return std::min(query_.limit.value_or(matching), matching - query_.offset);
}

void ListStatement::write(Context& context, ListWriter& writer) {
  search();
  // Most lists are short: these are one prepared statement, whether they have a limit or not.
  const bool may_be_long = query_.limit.value_or(portion + 1) > portion;
  const std::string limit = placed("?::bigint", may_be_long ? std::optional(portion) : query_.limit);
  const std::size_t limit_at = params_.size() - 1;
  const std::string offset = placed("?::bigint", query_.offset);
  const std::string sort = by_tenant_ + table_ + "." + query_.order + (query_.descending ? " DESC" : " ASC");
  const std::string first = ahead(query_);
  std::vector<Variant> variants = {
      {"with", with_}, {"where", where_}, {"scope", scope_}, {"narrowed", narrowed_ ? "true" : "false"},
      {"sort", sort},  {"ahead", first},  {"limit", limit},  {"offset", offset}};
  for (const auto& [word, text] : words_) variants.emplace_back(word, text);
  const std::string name = resource_ + ".page";
  const Rows rows = context.db().run(name, params_, variants);
  if (!may_be_long || count(rows) <= portion) return writer.add(rows);

  context.db().roll_back();  // it read only; and one request never holds two connections
  params_[limit_at] = query_.limit;
  UnitOfWork unit(context.services.database, Mode::write);
  unit.execute("SET TRANSACTION READ ONLY");
  unit.execute("SET LOCAL cursor_tuple_fraction = 1");  // all of the rows are wanted, and not the first ones soon
  unit.execute("DECLARE portions NO SCROLL CURSOR FOR " + find_statement(name, variants).text, params_);
  for (std::size_t got = portion; got == portion;) {
    const Rows some = unit.execute("FETCH " + std::to_string(portion) + " FROM portions");
    got = some.size();
    writer.add(some);
  }
}

Response ListStatement::written(Context& context, const Schema& item, ListForm form) {
  ListWriter writer(item, form, context.request.temporary_folder);
  write(context, writer);
  return std::move(writer).response();
}

Response ListStatement::answer(Context& context, const Schema& item) {
  return written(context, item, ListForm::filtered);
}

Response ListStatement::items(Context& context, const Schema& item) {
  return written(context, item, ListForm::items);
}

}  // namespace wazoauth
