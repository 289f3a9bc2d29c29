// Typed values of a configuration's tree by their path, keys joined with '.': "rest_api.cors.enabled".
//
// Everything throws ConfigError, which names the key, and file and line when they are known.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"
#include "wazoauth/config/source.h"

namespace wazoauth {

using KnownNames = std::vector<std::string_view>;
bool contains(const KnownNames& names, std::string_view name);

class ConfigReader {
 public:
  // All three live as long as the reader. `warnings` gets the names that are skipped.
  ConfigReader(const Json& tree, const SourceLines& places, std::vector<std::string>& warnings)
      : tree_(tree), places_(places), warnings_(warnings) {}

  [[noreturn]] void fail(const std::string& path, const std::string& what) const;
  void warn(std::string text) const { warnings_.push_back(std::move(text)); }

  const Json& value(const std::string& path) const;  // null when it isn't there
  bool has(const std::string& path) const { return !value(path).is_null(); }

  // `fallback` counts when the key isn't there; null is false.
  bool flag(const std::string& path, bool fallback) const;
  std::int64_t integer(const std::string& path, std::int64_t lowest,
                       std::int64_t highest = std::numeric_limits<std::int64_t>::max()) const;
  double number(const std::string& path) const;
  std::chrono::milliseconds seconds(const std::string& path,
                                    std::chrono::milliseconds fallback) const;  // 0.1 s to 60 s

  std::optional<std::string> optional_text(const std::string& path) const;
  std::string text(const std::string& path, const std::string& fallback = "") const;
  std::vector<std::string> texts(const std::string& path, const Json& list) const;
  std::vector<std::string> text_or_texts(const std::string& path, std::vector<std::string> fallback) const;
  std::string certificates(const std::string& path, const std::string& file) const;  // PEM

  // Of a mapping; none for null. The second one is of a value that has been read, `path` says where.
  const Json::Members& members(const std::string& path) const;
  const Json::Members& members(const std::string& path, const Json& mapping) const;
  const Json::Members& members(const std::string& path, const KnownNames& allowed) const;
  std::vector<std::pair<std::string, bool>> switches(const std::string& path, const Json& mapping) const;

  // Switched on and known, in the order of the configuration. Unknown ones are warnings.
  std::vector<std::string> enabled(const std::string& section, const KnownNames& known) const;

 private:
  bool present(const std::string& path) const;

  const Json& tree_;
  const SourceLines& places_;
  std::vector<std::string>& warnings_;
};

}  // namespace wazoauth
