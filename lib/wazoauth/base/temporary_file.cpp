#include "wazoauth/base/temporary_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace wazoauth {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int open_in(const std::string& folder) {
  std::string path = folder + "/wazo-auth-XXXXXX";
  const int descriptor = mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) fail("no temporary file in " + folder);
  unlink(path.c_str());
  return descriptor;
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& folder) : descriptor_(open_in(folder)) {}

TemporaryFile::~TemporaryFile() {
  close(descriptor_);
}

void TemporaryFile::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("a temporary file can't be written");
    text.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::size_t>(written);
  }
}

}  // namespace wazoauth
