// What is wrong with a document, an overlay or a template, and where.
#pragma once

#include <string>
#include <vector>

namespace wazoauth::openapi {

struct Finding {
  enum class Severity { warning, error };

  Severity severity;
  std::string file;
  int line;  // 0: the whole file
  std::string text;

  std::string str() const;  // "FILE:LINE: TEXT"
};

bool has_errors(const std::vector<Finding>& findings);

}  // namespace wazoauth::openapi
