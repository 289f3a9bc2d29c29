// The gate by API documents: their tables, and which paths they are about.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ngx.h"
#include "shadow.h"
#include "wazoauth/openapi/read.h"

namespace wazoauth::nginx {

// Public paths that one daemon answers: what is said for operations that no document has.
struct Area {
  std::string root;  // "/api/calld"; "": every path
  bool deny;
  std::optional<bool> enforce;  // false: in shadow; nullopt: as wazo_auth_enforce says
  std::size_t slot;             // in Shadow, of what no document has
};

// The lines of wazo_auth_openapi of one level, and what becomes of them: one table.
class Routes {
 public:
  struct Line {
    Place place;
    openapi::Source source;
    bool deny = true;
    std::optional<bool> enforce;
  };

  void add(Line line) { lines_.push_back(std::move(line)); }
  bool is_read() const { return read_; }
  // When all lines are here; once. `shadow`: where operations are counted; null: nowhere. False: something is wrong,
  // and was logged.
  bool read(ngx_conf_t* cf, Shadow* shadow);

  // The longest one that the path lies in. Null: the documents have nothing to do with it. Letters count as the same in
  // upper and lower case: a location may find the daemon by either, and then nobody knows the operation.
  const Area* area_of(std::string_view path) const noexcept;
  const openapi::RouteTable& table() const { return table_; }
  std::size_t slot_of(const openapi::Operation& operation) const { return first_slot_ + operation.number; }
  bool tokens_in_query() const { return tokens_in_query_; }

 private:
  const Place& place_of(const openapi::Finding& finding) const;
  bool report(ngx_conf_t* cf, const std::vector<openapi::Finding>& findings) const;
  void find_areas();
  void add_area(const std::string& root, const Line& line);
  void add_to(Shadow& shadow);

  std::vector<Line> lines_;
  bool read_ = false;
  openapi::RouteTable table_;
  std::vector<Area> areas_;
  std::size_t first_slot_ = 0;
  bool tokens_in_query_ = false;
};

// Null without memory.
Routes* make_routes(ngx_conf_t* cf);

}  // namespace wazoauth::nginx
