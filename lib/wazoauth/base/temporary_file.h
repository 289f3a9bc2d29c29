// A file for what is too long for memory. It has no name any more, and is gone when it is closed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wazoauth {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& folder);  // throws std::system_error
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void append(std::string_view text);  // blocks while the disk is slow; throws std::system_error, when it is full say
  int descriptor() const { return descriptor_; }
  std::size_t size() const { return size_; }

 private:
  const int descriptor_;
  std::size_t size_ = 0;
};

}  // namespace wazoauth
