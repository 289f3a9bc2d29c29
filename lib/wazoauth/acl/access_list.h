// Compiled access lists: does a token's list of accesses grant a required access?
//
// Semantics: docs/spec/acl.md section 2, proven by t/acl-vectors.json. A list is compiled once into one block of
// bytes without pointers, so that it can lie in shared memory and be shared by all tokens that have the same list.
// Matching reads that block only, checks every offset against its size, and allocates nothing for required accesses
// up to 1 KiB.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wazoauth/acl/holder.h"
#include "wazoauth/acl/required.h"

namespace wazoauth::acl {

// A view of a block; doesn't own it. A block that is damaged or of another layout version grants nothing.
class AccessList {
 public:
  explicit AccessList(std::string_view block) : block_(block) {}
  bool valid() const;
  // required == nullopt: no access is required, granted.
  bool grants(std::optional<std::string_view> required, const Holder& holder) const;
  bool grants(const Required& required, const Holder& holder) const;
  bool asks_for_holder() const;   // some of its patterns have a word that means the holder
  std::string_view json() const;  // "[]" for a damaged block

 private:
  std::string_view block_;
};

// Delegation (docs/spec/acl.md section 4): may the holder put this access in a policy, or take it out?
bool may_add(const AccessList& holder_list, std::string_view access, const Holder& holder);
bool may_remove(const AccessList& holder_list, std::string_view access, const Holder& holder);

// "auth.users.{user_uuid}.read" with {names} replaced by the values of parameters, in which every '.' becomes '_'.
std::string fill_template(std::string_view access_template,
                          std::span<const std::pair<std::string, std::string>> path_parameters);

}  // namespace wazoauth::acl
