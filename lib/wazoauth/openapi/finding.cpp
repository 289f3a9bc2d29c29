#include "wazoauth/openapi/finding.h"

#include <algorithm>

namespace wazoauth::openapi {

std::string Finding::str() const {
  return file + (line > 0 ? ":" + std::to_string(line) : "") + ": " + text;
}

bool has_errors(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Finding::Severity::error; });
}

}  // namespace wazoauth::openapi
