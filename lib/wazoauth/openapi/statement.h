// What an operation says about the access that it needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/openapi/operation.h"

namespace wazoauth::openapi {

struct Statement {
  Need need = Need::token;
  std::vector<std::string> accesses;  // of Need::acl, with {parameters}
  std::string trouble;                // of Need::closed: why

  bool operator==(const Statement&) const = default;
};

// "**Required ACL:** `calld.calls.read`" and its other spellings; nullopt: the text doesn't speak of it.
std::optional<Statement> stated_in_text(std::string_view description);

// The value of x-required-acl: an access, a list of which one is enough, "none" or "token". One that is nothing of this
// is Need::closed.
Statement stated_by_key(const Json& value);

}  // namespace wazoauth::openapi
