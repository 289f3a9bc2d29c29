// The named statements of sql/queries, as read_statements.h reads them.
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

// A statement in which each {word} is replaced, in the order of `variants`: a text may bring further words. Without a
// name it isn't worth preparing. Throws std::logic_error for an unknown name.
Statement find_statement(std::string_view name,
                         const std::vector<std::pair<std::string_view, std::string_view>>& variants);

// The text of a part of statements, as it stands in sql/queries.
const std::string& fragment(std::string_view name);

}  // namespace wazoauth
