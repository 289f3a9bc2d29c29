// The holder of an access list.
#pragma once

#include <string_view>

namespace wazoauth::acl {

// The meaning of `me` and `my_session`.
struct Holder {
  std::string_view auth_id;
  std::string_view session_uuid;
};

}  // namespace wazoauth::acl
