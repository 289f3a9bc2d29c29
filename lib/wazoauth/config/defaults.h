// The configuration without any file, docs/spec/config.md section 2.
#pragma once

#include "wazoauth/base/json.h"

namespace wazoauth {

Json default_config();  // a tree of its own for each caller

}  // namespace wazoauth
