// The files that folders and globs stand for.
#pragma once

#include <string>
#include <vector>

namespace wazoauth::openapi {

// A folder: every api.yml, api.yaml and api.json below it. A glob: as in a shell. Sorted. Empty when there is nothing
// of that name.
std::vector<std::string> files_of(const std::string& name);

}  // namespace wazoauth::openapi
