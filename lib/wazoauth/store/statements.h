// The named statements of sql/queries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

struct Statement {
  std::string name;  // also its name as a prepared statement
  std::string text;
  bool changes_rows = false;  // may delete or update
};

// Throws std::logic_error for an unknown name. The reference stays valid for ever.
const Statement& find_statement(std::string_view name,
                                const std::vector<std::pair<std::string_view, std::string_view>>& variants);

}  // namespace wazoauth
