// Any bytes as configuration: errors are ConfigErrors, and what is read can be typed and shown.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wazoauth/config/defaults.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/config/shown.h"
#include "wazoauth/config/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wazoauth;
  try {
    const auto document = parse_yaml(std::string(reinterpret_cast<const char*>(data), size), "fuzz.yml");
    Json tree = default_config();
    for (const auto& [key, value] : document.value.members()) tree.set(key, value);
    std::vector<std::string> warnings;
    shown_config(make_settings(tree, "uuid", warnings), false, false).dump();
  } catch (const ConfigError&) {
  }
  return 0;
}
