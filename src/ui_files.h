// The files of the operator's page, as they were built from ui/.
#pragma once

#include <string_view>
#include <vector>

namespace wazoauth::nginx {

struct UiFile {
  std::string_view name;
  std::string_view type;
  std::string_view tag;  // of its contents
  std::string_view plain;
  std::string_view gzipped;
  std::string_view brotli;
};

const std::vector<UiFile>& ui_files();

}  // namespace wazoauth::nginx
