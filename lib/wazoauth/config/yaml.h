// YAML texts, read as YAML 1.1 like the rest of the platform reads them (docs/spec/config.md section 1.2).
//
// yaml-cpp reads the syntax; plain scalars, merge keys, duplicate keys and tags get their meaning here.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "wazoauth/base/json.h"

namespace wazoauth {

struct YamlDocument {
  Json value;                        // null for an empty text
  std::map<std::string, int> lines;  // of the members of mappings, keys joined with '.'
  // Likewise, of members that one mapping has twice: the last one counts, and the line is its.
  std::map<std::string, int> repeated;
};

// Runs the command of an `!exec` in that line and returns its output. May throw ConfigError.
using RunCommand = std::function<std::string(const std::string& command, int line)>;

// One document. Throws ConfigError, with `file` and the line, for what isn't YAML, for unknown tags, for texts that
// aliases blow up, and for `!exec` when there is no `run`.
YamlDocument parse_yaml(const std::string& text, const std::string& file, const RunCommand& run = nullptr);

}  // namespace wazoauth
