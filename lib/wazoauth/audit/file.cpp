#include "wazoauth/audit/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace wazoauth::audit {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Opened for each batch, so that it doesn't matter how the file is rotated.
class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640)) {
    if (fd_ == -1) fail("open");
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // All of it, or nothing: unless the machine fails meanwhile, and then the next one begins a new line.
  void append(std::string text) {
    struct stat before {};
    if (fstat(fd_, &before) == -1) fail("fstat");
    char last = '\n';
    if (S_ISREG(before.st_mode) && before.st_size > 0 && pread(fd_, &last, 1, before.st_size - 1) != 1) fail("read");
    if (last != '\n') text.insert(0, 1, '\n');
    try {
      write_all(text);
    } catch (const std::system_error&) {
      if (S_ISREG(before.st_mode) && ftruncate(fd_, before.st_size) == -1) fail("ftruncate");
      throw;
    }
  }

 private:
  void write_all(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written == -1 && errno == EINTR) continue;
      if (written <= 0) fail("write");
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fdatasync(fd_) == -1 && errno != EINVAL && errno != EROFS) fail("fdatasync");  // a pipe has none
  }

  int fd_;
};

}  // namespace

void append_to_file(const std::string& path, const std::vector<std::string>& entries) {
  std::string lines;
  for (const std::string& entry : entries) lines += entry + '\n';
  File(path).append(std::move(lines));
}

}  // namespace wazoauth::audit
