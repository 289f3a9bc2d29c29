// The version of this project, from CMakeLists.txt.
#pragma once

#include <string_view>

namespace wazoauth {

extern const std::string_view version;  // "1.0.0"

}  // namespace wazoauth
