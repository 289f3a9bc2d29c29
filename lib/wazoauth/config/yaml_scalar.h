// Plain scalars by the types of YAML 1.1, https://yaml.org/type/, as Python's reader knows them: no `y` and `n` for
// booleans, exponents need a sign.
#pragma once

#include <string_view>

#include "wazoauth/base/json.h"

namespace wazoauth {

// The meaning of a plain scalar: null, boolean, integer (also octal, sexagesimal), real, else the text itself. Real
// infinities become the largest real, not-a-number null.
Json resolve_yaml_scalar(std::string_view plain);

}  // namespace wazoauth
