// Why an access list grants a required access, or doesn't: pattern by pattern, by the rules of docs/spec/acl.md
// section 2, for answers that name the pattern that decided.
//
// AccessList decides through a compiled structure of the whole list; here each pattern is a program of its own. The two
// agree, which t/unit/test_acl_explain.cpp holds against all vectors and many random lists.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/text.h"

namespace wazoauth::acl {

// One access of a list.
class Pattern {
 public:
  explicit Pattern(std::string_view access);
  bool negated() const { return negated_; }
  // `required`: the required access, with the holder that it is judged for.
  bool matches(Text& required) const { return required.matches(program_, 0); }

 private:
  bool negated_;
  std::string program_;
};

// The accesses that match, by their places in the list. A negation that matches decides whatever else does.
struct Decision {
  std::vector<std::size_t> negated, granting;

  bool granted() const { return negated.empty() && !granting.empty(); }
  std::optional<std::size_t> deciding() const;  // nullopt: nothing matches
};
Decision explain(const std::vector<std::string>& accesses, std::string_view required, const Holder& holder);

}  // namespace wazoauth::acl
