// The places that a configuration's values come from, and the error for a value that can't be used.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace wazoauth {

// A configuration that can't be used: what(), and where.
struct ConfigError : std::runtime_error {
  ConfigError(const std::string& what, std::string file_name, int line_number)
      : std::runtime_error(what), file(std::move(file_name)), line(line_number) {}
  std::string file;
  int line;  // 0: unknown
};

struct SourceLine {
  std::string file;
  int line;
};

// By the path of a value, its keys joined with '.': "rest_api.cors.enabled".
using SourceLines = std::map<std::string, SourceLine>;

}  // namespace wazoauth
