// What the commands share.
#pragma once

#include <getopt.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/config/files.h"
#include "wazoauth/config/settings.h"

namespace wazoauth::tool {

// Thrown for a wrong command line: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::string environment(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  return value && *value ? value : fallback;
}

// Options of the form --name VALUE, --name=VALUE or -n VALUE, or without a value; the first word that is no option ends
// them. Returns the words that follow.
struct Option {
  std::string name;
  char letter = 0;
  bool* flag = nullptr;
  std::string* value = nullptr;
};
inline std::vector<std::string> read_options(int argc, char** argv, const std::vector<Option>& options) {
  std::vector<option> longs;
  std::string letters = "+";
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Option& o = options[i];
    longs.push_back({o.name.c_str(), o.value ? required_argument : no_argument, nullptr, 256 + static_cast<int>(i)});
    if (o.letter) letters += std::string(1, o.letter) + (o.value ? ":" : "");
  }
  longs.push_back({});
  for (int found; (found = getopt_long(argc, argv, letters.c_str(), longs.data(), nullptr)) != -1;) {
    if (found == '?') throw UsageError("see --help");
    for (std::size_t i = 0; i < options.size(); ++i) {
      const Option& o = options[i];
      if (found != 256 + static_cast<int>(i) && found != o.letter) continue;
      o.value ? (void)(*o.value = optarg) : (void)(*o.flag = true);
    }
  }
  return {argv + optind, argv + argc};
}

inline void refuse_words(const std::vector<std::string>& words) {
  if (!words.empty()) throw UsageError("unexpected \"" + words[0] + "\"");
}

inline Settings load_settings(const std::string& file, const Json& overrides = {}) {
  // No command asks a provider: what nginx's environment allows may stand in the file, whatever this shell's has.
  setenv("OAUTHLIB_INSECURE_TRANSPORT", "1", 0);  // NOLINT(concurrency-mt-unsafe): there is one thread
  const LoadedConfig loaded = load_config(file, overrides);
  std::vector<std::string> warnings = loaded.warnings;
  Settings settings = make_settings(loaded.tree, environment("XIVO_UUID", ""), warnings, loaded.places);
  for (const std::string& warning : warnings) std::cerr << warning << '\n';
  return settings;
}

inline int main(const char* name, const std::function<int()>& work) {
  try {
    return work();
  } catch (const UsageError& e) {
    std::cerr << name << ": " << e.what() << '\n';
    return 2;
  } catch (const ConfigError& e) {
    std::cerr << name << ": " << e.file << (e.line ? ":" + std::to_string(e.line) : "") << ": " << e.what() << '\n';
  } catch (const std::exception& e) {
    std::cerr << name << ": " << e.what() << '\n';
  }
  return 1;
}

}  // namespace wazoauth::tool
