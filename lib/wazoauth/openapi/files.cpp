#include "wazoauth/openapi/files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace wazoauth::openapi {

namespace {

namespace fs = std::filesystem;

bool is_document(const fs::path& path) {
  const std::string name = path.filename().string();
  return name == "api.yml" || name == "api.yaml" || name == "api.json";
}

void add_folder(const fs::path& folder, std::vector<std::string>& files) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (is_document(at->path()) && !fs::is_directory(at->path(), error)) files.push_back(at->path().string());
  }
}

void add(const std::string& name, std::vector<std::string>& files) {
  std::error_code error;
  if (fs::is_directory(name, error)) {
    add_folder(name, files);
  } else if (fs::symlink_status(name, error).type() != fs::file_type::not_found) {
    files.push_back(name);  // one that can't be followed, or read, is an error when it is read
  }
}

}  // namespace

std::vector<std::string> files_of(const std::string& name) {
  std::vector<std::string> files;
  if (name.find_first_of("*?[") == std::string::npos) {
    add(name, files);
  } else {
    glob_t found{};
    if (glob(name.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) add(found.gl_pathv[i], files);
    }
    globfree(&found);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace wazoauth::openapi
