// Slugs of groups, policies and tenants: docs/spec/endpoints.md section 3.3.
#pragma once

#include <functional>
#include <string>

#include "wazoauth/base/json.h"
#include "wazoauth/http/schema.h"

namespace wazoauth {

struct SlugRule {
  std::size_t max_length;
  bool allow_dash;
};
inline constexpr SlugRule short_slug{10, false};  // tenants
inline constexpr SlugRule long_slug{80, true};    // groups and policies

// The field "slug" of a body that creates something.
Field slug_field(const SlugRule& rule);

// The slug that a body gives, or one made from its name, or a random one that isn't taken.
std::string slug_of(const Json& body, const SlugRule& rule, const std::function<bool(const std::string&)>& taken);

}  // namespace wazoauth
