// The files of a configuration and their merge, docs/spec/config.md section 1.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/config/source.h"

namespace wazoauth {

struct LoadedConfig {
  Json tree;                          // effective: command line over files over defaults; as GET /config shows it
  std::vector<std::string> warnings;  // skipped files and the like, each naming file (and line)
  SourceLines places;                 // of the values that files gave
};

// Reads the main file and its drop-ins. Unreadable or broken drop-ins and an unreadable main file are warnings, a
// broken main file is a ConfigError. `overrides`: keys that win over everything (a command line's), null for none.
// Commands of `!exec` run, 5 s each at most, for files that only root, or the user who runs this, can write.
LoadedConfig load_config(const std::string& main_file, const Json& overrides = {});

}  // namespace wazoauth
