// Answers of list operations, and rows as objects of the API.
//
// The statement of a list gives in each row the columns `total` and `filtered`, and a page of objects beside them. When
// the page is empty it still gives one row, in which the object's columns (its `uuid` among them) are NULL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/rest/context.h"

namespace wazoauth {

// Writes rows as objects of a shape: each of its fields is the column of that name, an object's fields are columns of
// the row, too. JSON columns are for lists and for objects of any kind. A list of objects may also be spread over rows
// that follow each other and have the same `uuid`, one item in each: in columns "<list>.<field>".
class RowWriter {
 public:
  RowWriter(const Rows& rows, const Schema& shape);
  std::size_t write(std::string& out, std::size_t row) const;  // returns how many rows the object took

 private:
  struct Member {
    std::string key;  // with what stands around it: `, "name": `
    Type type;
    int column = -1;              // -1: see `inner`
    std::vector<Member> inner{};  // of an object, or of a spread list's items
  };
  using Members = std::vector<Member>;
  static Members members_of(const Rows& rows, const Schema& shape, const std::string& prefix = {});
  std::size_t rows_of_object(std::size_t row) const;
  void write_members(std::string& out, std::size_t row, std::size_t count, const Members& members) const;
  void write_spread(std::string& out, std::size_t row, std::size_t count, const Members& members) const;

  const Rows& rows_;
  Members members_;
  int uuid_ = -1;  // its column, when a list is spread
};

std::string row_text(const Rows& rows, std::size_t row, const Schema& shape);  // one object, as JSON
Response row_response(const Rows& rows, const Schema& shape);                  // the first row
Response page_response(const Rows& rows, const Schema& item);                  // {"filtered", "total", "items"}
Response list_response(const Rows& rows, const Schema& item);                  // {"items", "total"}
Response empty_page();

// For {order} and {direction} of other statements; the query must have an order.
std::vector<Variant> sort_variants(const ListQuery& query);

// Column filters: the parameter's text as it was sent. The second one takes an empty text for none.
std::optional<std::string> filter_of(const Request& request, std::string_view name);
std::optional<std::string> filter_unless_empty(const Request& request, std::string_view name);

// The statement of a list, "users.page" say, put together from the fragments that a request needs, so that PostgreSQL
// has no condition to plan that isn't there. In a fragment each `?` is its value. The statement's words:
//   {with}      the fragment of a search that comes first, or nothing
//   {scope}     what may be seen
//   {where}     that and the filters
//   {narrowed}  whether there are filters: else `filtered` is `total`
//   {sort}      the columns to order by
//   {ahead} {limit} {offset}
class Page {
 public:
  // `table`: the alias of the listed table; `tenant`: the column that says whose a row is.
  Page(std::string resource, std::string_view table, std::string_view tenant, const ListQuery& query);

  // Rows of one tenant, or of its whole subtree. Of the master that is everything.
  Page& of_tenant(Context& context, const std::string& tenant, bool subtree);
  Page& scoped(std::string_view fragment, const Param& value);
  Page& filtered(std::string_view fragment, const Param& value);
  // By the parameters that the route declares as columns: fragments "<resource>.by.<parameter>".
  Page& filtered_by_columns(const Context& context, const std::vector<std::string>& unless_empty = {});
  // Makes of what was the scope so far the word {in_scope} of this fragment, which is the scope now.
  Page& widened(std::string_view fragment, const Param& value);
  Page& with(std::string_view word, std::string_view text, const Param& value);  // a word of this statement alone
  Rows run(UnitOfWork& unit);

 private:
  std::string placed(std::string_view text, const Param& value);
  std::string of_column(std::string_view fragment, const Param& tenant);
  void search();

  std::string resource_, table_, tenant_;
  ListQuery query_;
  std::vector<Param> params_;
  std::string with_, scope_, where_, by_tenant_, tenant_number_;
  bool narrowed_ = false;
  std::vector<std::pair<std::string, std::string>> words_;
};

}  // namespace wazoauth
