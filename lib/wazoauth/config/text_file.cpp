#include "wazoauth/config/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "wazoauth/base/text.h"

namespace wazoauth {

std::string read_text_file(const std::string& path, std::size_t max_mebibytes) {
  const std::size_t most_bytes = max_mebibytes << 20;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) throw FileError(path + ": " + std::system_category().message(errno));
  std::string text;
  std::array<char, 4096> part;
  while (text.size() <= most_bytes) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), file.get());
    if (count == 0) break;
    text.append(part.data(), count);
  }
  if (std::ferror(file.get())) throw FileError(path + ": it can't be read");
  if (text.size() > most_bytes) throw FileError(path + ": longer than " + std::to_string(max_mebibytes) + " MiB");
  if (!is_utf8(text)) throw FileError(path + ": it isn't UTF-8");
  return text;
}

}  // namespace wazoauth
