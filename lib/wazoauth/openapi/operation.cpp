#include "wazoauth/openapi/operation.h"

#include <array>

namespace wazoauth::openapi {

std::string_view name_of(Need need) {
  constexpr std::array<std::string_view, 4> names = {"open", "token", "acl", "closed"};
  return names[static_cast<std::size_t>(need)];
}

}  // namespace wazoauth::openapi
