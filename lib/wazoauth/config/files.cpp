#include "wazoauth/config/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "wazoauth/config/command.h"
#include "wazoauth/config/defaults.h"
#include "wazoauth/config/yaml.h"

namespace wazoauth {
namespace {

constexpr std::chrono::seconds command_limit{5};
constexpr std::size_t max_file_size = 16 << 20;

// A file that counts as empty.
struct Unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string system_message(int error) {
  return std::system_category().message(error);
}

struct File {
  std::string text;
  bool trusted;  // only root, or the user who runs this, can have written it
};

bool only_we_can_write(const struct stat& info) {
  return (info.st_uid == 0 || info.st_uid == geteuid()) && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

File read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw Unreadable(system_message(errno));
  struct stat info {};
  File file{"", fstat(fd, &info) == 0 && only_we_can_write(info)};
  std::array<char, 65536> buffer;
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) > 0 && file.text.size() < max_file_size) {
    file.text.append(buffer.data(), count);
  }
  const int error = errno;
  close(fd);
  if (count < 0) throw Unreadable(system_message(error));
  if (count > 0) throw Unreadable("longer than 16 MiB");
  return file;
}

std::vector<std::string> split_at_blanks(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ' ') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string output_of(const std::string& command, bool trusted, const std::string& file, int line) {
  if (!trusted) {
    throw ConfigError(
        "!exec refused: the file must belong to root or to the user who runs this, and nobody else may "
        "write it",
        file, line);
  }
  const auto arguments = split_at_blanks(command);
  const std::string program = "!exec: \"" + arguments.front() + "\" ";
  try {
    return run_command(arguments, command_limit);
  } catch (const CommandNotFound& error) {
    throw Unreadable("line " + std::to_string(line) + ": " + program + "can't be run: " + error.what());
  } catch (const std::runtime_error& error) {
    throw ConfigError(program + error.what(), file, line);
  }
}

// Older files, as they were shipped, have these two keys with an apostrophe at the end.
void correct_spelling(YamlDocument& document) {
  for (const char* key : {"email_confirmation_get_response_body_template", "email_confirmation_get_mimetype"}) {
    const std::string misspelt = std::string(key) + "'";
    if (!document.value.has(misspelt)) continue;
    if (!document.value.has(key)) {
      document.value.set(key, document.value.get(misspelt));
      document.lines[key] = document.lines[misspelt];
    }
    document.value.erase(misspelt);
  }
}

struct NotAMapping : ConfigError {
  using ConfigError::ConfigError;
};

YamlDocument read_config(const std::string& path) {
  const File file = read_file(path);
  auto document = parse_yaml(file.text, path, [&](const std::string& command, int line) {
    return output_of(command, file.trusted, path, line);
  });
  if (document.value.is_falsy()) document.value = Json::object();
  if (!document.value.is_object()) throw NotAMapping("a configuration file must hold a mapping", path, 1);
  correct_spelling(document);
  return document;
}

// The members of `high`, and those that only `low` has. Neither is changed.
Json merge(const Json& high, const Json& low, bool append_lists) {
  Json result = Json::object();
  for (const auto& [key, value] : high.members()) {
    const Json& lower = low.get(key);
    if (value.is_object() && lower.is_object()) {
      result.set(key, merge(value, lower, append_lists));
    } else if (append_lists && value.is_array() && lower.is_array()) {
      Json list = value;
      for (const auto& item : lower.items()) list.append(item);
      result.set(key, std::move(list));
    } else {
      result.set(key, value);
    }
  }
  for (const auto& [key, value] : low.members()) {
    if (!high.has(key)) result.set(key, value);
  }
  return result;
}

class Loader {
 public:
  LoadedConfig load(const std::string& main_file, const Json& overrides) {
    Json defaults = default_config();
    defaults.set("config_file", main_file);
    YamlDocument main;
    try {
      main = read_config(main_file);
    } catch (const Unreadable& error) {
      warn(main_file + ": " + error.what() + "; treated as empty");
      main.value = Json::object();
    }
    const std::string folder = main.value.text_or("extra_config_files", defaults.text_or("extra_config_files", ""));
    Json files = Json::object();
    std::vector<std::pair<std::string, YamlDocument>> sources = drop_ins(beside(main_file, folder));
    sources.emplace_back(main_file, std::move(main));
    for (const auto& [path, document] : sources) {
      files = merge(files, document.value, true);
      for (const auto& [key, line] : document.lines) result_.places.emplace(key, SourceLine{path, line});
    }
    result_.tree = merge(overrides, merge(files, defaults, false), false);
    return std::move(result_);
  }

 private:
  void warn(std::string text) { result_.warnings.push_back(std::move(text)); }

  // Relative to the file: nginx's working directory means nothing to its author.
  static std::string beside(const std::string& main_file, const std::string& folder) {
    if (folder.starts_with('/')) return folder;
    const auto slash = main_file.rfind('/');
    return slash == std::string::npos ? folder : main_file.substr(0, slash + 1) + folder;
  }

  std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
    if (directory == nullptr) {
      warn(folder + ": " + system_message(errno) + "; no drop-in files are read");
      return names;
    }
    while (const dirent* entry = readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name.ends_with(".yml") && !name.starts_with('.')) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // Strongest first.
  std::vector<std::pair<std::string, YamlDocument>> drop_ins(const std::string& folder) {
    std::vector<std::pair<std::string, YamlDocument>> documents;
    for (const auto& name : names_in(folder)) {
      const std::string path = folder + (folder.ends_with('/') ? "" : "/") + name;
      try {
        documents.emplace_back(path, read_config(path));
      } catch (const Unreadable& error) {
        warn(path + ": " + error.what() + "; skipped");
      } catch (const NotAMapping&) {
        throw;
      } catch (const ConfigError& error) {
        warn(error.file + ":" + std::to_string(error.line) + ": " + error.what() + "; skipped");
      }
    }
    return documents;
  }

  LoadedConfig result_;
};

}  // namespace

LoadedConfig load_config(const std::string& main_file, const Json& overrides) {
  return Loader().load(main_file, overrides);
}

}  // namespace wazoauth
