// The names of operations in the document of the API, as the Python daemon's document has them: programs that were
// generated from that one call their methods so. Operations without a name there have none here; generators make one of
// the path.
#pragma once

#include <string_view>

namespace wazoauth {

std::string_view operation_id(std::string_view method, std::string_view path);  // "" for none

}  // namespace wazoauth
