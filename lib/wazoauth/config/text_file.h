// A file that the configuration names.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace wazoauth {

// what() is "path: why".
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// UTF-8. Throws FileError.
std::string read_text_file(const std::string& path, std::size_t max_mebibytes = 1);

}  // namespace wazoauth
