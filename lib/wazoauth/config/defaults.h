// The configuration without any file, docs/spec/config.md section 2.
#pragma once

#include "wazoauth/base/json.h"

namespace wazoauth {

const Json& default_config();

}  // namespace wazoauth
