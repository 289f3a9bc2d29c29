// Certificates of authorities that the configuration names.
#pragma once

#include <string>

#include "wazoauth/config/text_file.h"

namespace wazoauth {

// The text of a file that holds certificates (PEM): at least one, and none of them broken. Throws FileError.
std::string read_certificates(const std::string& path);

}  // namespace wazoauth
