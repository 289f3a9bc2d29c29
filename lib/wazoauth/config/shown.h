// The configuration as GET /config shows it.
#pragma once

#include "wazoauth/config/settings.h"

namespace wazoauth {

// The tree with its secrets masked ("********"), log_level as a number, uuid, loaded_plugins. `debug` and `profiling`
// are the values that PATCH may have changed.
Json shown_config(const Settings& settings, bool debug, bool profiling);

}  // namespace wazoauth
