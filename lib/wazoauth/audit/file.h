// Entries of the audit log in a file.
#pragma once

#include <string>
#include <vector>

namespace wazoauth::audit {

// A line for each, and on the disk when this returns. Throws std::system_error: then none of them is in it.
void append_to_file(const std::string& path, const std::vector<std::string>& entries);

}  // namespace wazoauth::audit
