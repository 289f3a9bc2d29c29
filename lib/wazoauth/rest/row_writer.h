// Rows as objects of the API, and answers made of them.
//
// The statement of a list gives in each row the columns `total` and `filtered`, and the objects of the list beside
// them. A list without objects still has one row, in which the object's columns (its `uuid` among them) are NULL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/http/http.h"
#include "wazoauth/http/schema.h"
#include "wazoauth/store/rows.h"

namespace wazoauth {

// Writes rows as objects of a shape: each of its fields is the column of that name, an object's fields are columns of
// the row, too. JSON columns are for lists and for objects of any kind. A list of objects may also be spread over rows
// that follow each other and have the same `uuid`, one item in each: in columns "<list>.<field>".
class RowWriter {
 public:
  RowWriter(const Rows& rows, const Schema& shape);
  std::size_t write(std::string& out, std::size_t row);  // returns how many rows the object took
  // Where in the text the spread list of the object that was written last ends; 0 without one.
  std::size_t end_of_spread() const { return end_of_spread_; }
  // The first rows go on with the spread list of the object `uuid`: puts them at `end`, moves that, returns how many.
  std::size_t write_more(std::string& out, std::size_t& end, std::string_view uuid);

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
  void write_members(std::string& out, std::size_t row, std::size_t count, const Members& members);
  void write_spread(std::string& out, std::size_t row, std::size_t count, const Members& members);

  const Rows& rows_;
  Members members_;
  int uuid_ = -1;  // its column, when a list is spread
  std::size_t end_of_spread_ = 0;
};

// What stands around the objects of a list.
enum class ListForm {
  filtered,  // {"filtered", "total", "items"}
  items,     // {"items", "total"}
};

// The answer to a list, of rows that may come in portions: an object's rows need not all be in one.
class ListWriter {
 public:
  // In the folder a file takes what is too long for memory; "": nothing is.
  ListWriter(const Schema& item, ListForm form, std::string folder = {})
      : item_(item), form_(form), folder_(std::move(folder)) {}
  void add(const Rows& rows);  // throws std::system_error when a file can't be written
  Response response() &&;

 private:
  void begin(const Rows& rows);
  void spill();

  const Schema& item_;
  const ListForm form_;
  const std::string folder_;
  std::shared_ptr<TemporaryFile> file_;  // what comes before `text_`
  std::string text_, total_;
  // Of the object that was written last; it may go on.
  std::string last_;                               // its `uuid`
  std::size_t last_begins_ = 0, last_spread_ = 0;  // where in the text; and the end of its spread list, 0 without one
};

Response row_response(const Rows& rows, const Schema& shape);   // the first row
Response list_response(const Rows& rows, const Schema& item);   // of all rows
Response items_response(const Rows& rows, const Schema& item);  // of all rows
Response empty_list();                                          // {"filtered": 0, "total": 0, "items": []}

}  // namespace wazoauth
