// The statement of a list, put together for each request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/rest/context.h"
#include "wazoauth/rest/row_writer.h"

namespace wazoauth {

// For {order} and {direction} of other statements; the query must have an order.
std::vector<Variant> sort_variants(const ListQuery& query);

// The text of a column filter, as it was sent.
std::optional<std::string> filter_of(const Request& request, std::string_view name);

// The statement of a list, "users.page" say, put together from the fragments that a request needs: PostgreSQL plans no
// condition that the request doesn't have. In a fragment each `?` is its value. The statement's words:
//   {with}      the fragment of a search that comes first, or nothing
//   {scope}     the condition for the rows that the caller may see; `total` counts these
//   {where}     {scope} and the filters; `filtered` counts these
//   {narrowed}  whether there are filters: else `filtered` is `total`
//   {sort}      the columns to order by
//   {ahead} {limit} {offset}
class ListStatement {
 public:
  // `table`: the alias of the listed table; `tenant`: the column with a row's tenant.
  ListStatement(std::string resource, std::string_view table, std::string_view tenant, const ListQuery& query);

  // Rows of one tenant, or of its whole subtree. Of the master that is everything.
  ListStatement& of_tenant(Context& context, const std::string& tenant, bool subtree);
  ListStatement& scoped(std::string_view fragment, const Param& value);
  ListStatement& filtered(std::string_view fragment, const Param& value);
  // By the parameters that the route declares as columns: fragments "<resource>.by.<parameter>". `unless_empty`: those
  // of which an empty text is no filter.
  ListStatement& filtered_by_columns(const Context& context, const std::vector<std::string>& unless_empty = {});
  // This fragment becomes the scope; its word {in_scope} is the scope so far.
  ListStatement& widened(std::string_view fragment, const Param& value);
  ListStatement& with(std::string_view word, std::string_view text,
                      const Param& value);  // a word of this statement alone

  // The answers {"filtered", "total", "items"} and {"items", "total"}. Rows of a long list come in portions, from one
  // snapshot, and their text goes to a file: neither stands in memory as a whole.
  Response answer(Context& context, const Schema& item);
  Response items(Context& context, const Schema& item);

 private:
  Response written(Context& context, const Schema& item, ListForm form);
  void write(Context& context, ListWriter& writer);
  std::int64_t count(const Rows& rows) const;
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
