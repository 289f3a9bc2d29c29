// The text of one file of a document, or of an overlay, without any meaning that needs the other files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/openapi/finding.h"
#include "wazoauth/openapi/statement.h"

namespace wazoauth::openapi {

struct PathParameter {
  std::string name;
  bool integer = false;
};

// An operation as a file has it.
struct Draft {
  std::string method;  // "GET"
  std::string path;    // below the document's base: "/calls/{call_id}"
  std::optional<Statement> statement;
  std::string stated_by;
  std::optional<bool> token_in_query;             // x-token-in
  std::optional<std::vector<std::string>> spans;  // x-spans-slashes: parameters that may hold slashes
  std::vector<PathParameter> parameters;          // declared here, the strongest last
  std::vector<std::string> references;            // to parameters that the document declares for all
  bool remove = false;                            // x-remove
  std::string file;
  int line = 0;
};

struct FileContents {
  std::string title;
  std::optional<std::vector<std::string>> bases;    // basePath, or the paths of `servers`
  std::map<std::string, PathParameter> parameters;  // that operations refer to, by their names there
  std::vector<Draft> operations;
};

enum class Role { document, overlay };

// What can't be used is a finding, and isn't part of the contents.
FileContents read_contents(const std::string& text, const std::string& file, Role role, std::vector<Finding>& findings);

}  // namespace wazoauth::openapi
