// Any bytes as JSON: no crash, and what is read is written so that it reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wazoauth/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value = wazoauth::Json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = wazoauth::Json::parse(value->dump());
  if (!again || again->dump() != value->dump()) std::abort();
  return 0;
}
