// Bodies of HTML forms: application/x-www-form-urlencoded, and multipart/form-data (RFC 7578) as browsers and the usual
// libraries write it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

struct FormData {
  struct File {
    std::string field, name;  // name: may be empty
    std::string content;
  };
  std::vector<std::pair<std::string, std::string>> fields;  // UTF-8; ill-formed parts became U+FFFD
  std::vector<File> files;

  std::optional<std::string> field(std::string_view name) const;  // the first one
  const File* file(std::string_view field) const;                 // the first one; null for none
};

// An empty form for any other media type. Throws 400 for a body that isn't what its type says, or has too many parts.
FormData parse_form_data(std::string_view content_type, std::string_view body);

}  // namespace wazoauth
