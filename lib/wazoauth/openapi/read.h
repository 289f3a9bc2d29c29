// Reads API documents (Swagger 2.0, OpenAPI 3; YAML or JSON) and overlays: docs/platform.md, "Routes from the daemons'
// own documents".
#pragma once

#include <string>
#include <vector>

#include "wazoauth/openapi/finding.h"
#include "wazoauth/openapi/route_table.h"

namespace wazoauth::openapi {

// One document of one daemon, which may be many files.
struct Source {
  std::vector<std::string> files;     // files, folders (every *.yml, *.yaml, *.json below) and globs
  std::vector<std::string> overlays;  // likewise
  std::string prefix;                 // of the public paths, before the document's base: "/api/calld"
  std::string name;                   // "": from the document's title
  bool optional = false;              // files that don't exist are a warning, not an error: no such daemon here
};

struct Reading {
  RouteTable table;               // without operations when there are errors
  std::vector<Finding> findings;  // warnings and errors, in the order of the sources
};

// Never throws: what goes wrong is a finding.
Reading read_routes(const std::vector<Source>& sources);

}  // namespace wazoauth::openapi
