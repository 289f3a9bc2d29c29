// A file that the configuration names.
#pragma once

#include <stdexcept>
#include <string>

namespace wazoauth {

// what() is "path: why".
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string read_text_file(const std::string& path);  // UTF-8, up to 1 MiB; throws FileError

}  // namespace wazoauth
