// Compiles access lists to the blocks that AccessList reads: acl/block.h has the layout.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::acl {

// The block for a list of accesses, in their order, duplicates kept. It also holds the list as JSON text in wire
// form (`["a", "b"]`), for answers that show it. Throws std::length_error for a list that doesn't fit.
std::string compile(const std::vector<std::string>& accesses);

// The program for acl::Text of one whole pattern; a negation's without its '!'.
std::string compile_pattern(std::string_view pattern);

// What stands between the dots of a pattern: views of it, at least one.
std::vector<std::string_view> split_words(std::string_view pattern);

}  // namespace wazoauth::acl
