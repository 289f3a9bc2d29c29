#include "wazoauth/config/reader.h"

#include <algorithm>

#include "wazoauth/config/certificates.h"

namespace wazoauth {

bool contains(const KnownNames& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void ConfigReader::fail(const std::string& path, const std::string& what) const {
  const auto place = places_.find(path);
  throw ConfigError("\"" + path + "\" " + what, place == places_.end() ? "" : place->second.file,
                    place == places_.end() ? 0 : place->second.line);
}

const Json& ConfigReader::value(const std::string& path) const {
  const Json* current = &tree_;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('.', start), path.size());
    if (!current->is_object() && !current->is_null()) fail(path.substr(0, start - 1), "must be a mapping");
    current = &current->get(path.substr(start, end - start));
    start = end + 1;
  }
  return *current;
}

bool ConfigReader::present(const std::string& path) const {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? tree_.has(path) : value(path.substr(0, dot)).has(path.substr(dot + 1));
}

bool ConfigReader::flag(const std::string& path, bool fallback) const {
  const Json& found = value(path);
  return found.is_null() ? fallback && !present(path) : !found.is_falsy();
}

std::int64_t ConfigReader::integer(const std::string& path, std::int64_t lowest, std::int64_t highest) const {
  const Json& found = value(path);
  if (!found.is_integer()) fail(path, "must be an integer");
  if (found.integer() < lowest) fail(path, "must be at least " + std::to_string(lowest));
  if (found.integer() > highest) fail(path, "must be at most " + std::to_string(highest));
  return found.integer();
}

double ConfigReader::number(const std::string& path) const {
  const Json& found = value(path);
  if (!found.is_number()) fail(path, "must be a number");
  return found.number();
}

std::chrono::milliseconds ConfigReader::seconds(const std::string& path, std::chrono::milliseconds fallback) const {
  if (!has(path)) return fallback;
  const double found = number(path);
  if (!(found >= 0.1 && found <= 60)) fail(path, "must be seconds, 0.1 to 60");
  return std::chrono::milliseconds(static_cast<std::int64_t>(found * 1000));
}

std::optional<std::string> ConfigReader::optional_text(const std::string& path) const {
  const Json& found = value(path);
  if (found.is_null()) return std::nullopt;
  if (!found.is_string()) fail(path, "must be a text (in quotes, if it looks like something else)");
  return std::string(found.text());
}

std::string ConfigReader::text(const std::string& path, const std::string& fallback) const {
  return optional_text(path).value_or(fallback);
}

std::vector<std::string> ConfigReader::texts(const std::string& path, const Json& list) const {
  if (!list.is_array()) fail(path, "must be a list");
  std::vector<std::string> items;
  for (const auto& item : list.items()) {
    if (!item.is_string()) fail(path, "must hold texts only");
    items.emplace_back(item.text());
  }
  return items;
}

std::vector<std::string> ConfigReader::text_or_texts(const std::string& path, std::vector<std::string> fallback) const {
  const Json& found = value(path);
  if (found.is_null()) return fallback;
  if (found.is_string()) return {std::string(found.text())};
  return texts(path, found);
}

std::string ConfigReader::certificates(const std::string& path, const std::string& file) const {
  try {
    return read_certificates(file);
  } catch (const FileError& error) {
    fail(path, std::string("can't be used: ") + error.what());
  }
}

const Json::Members& ConfigReader::members(const std::string& path) const {
  return members(path, value(path));
}

const Json::Members& ConfigReader::members(const std::string& path, const Json& mapping) const {
  if (!mapping.is_null() && !mapping.is_object()) fail(path, "must be a mapping");
  return mapping.members();
}

const Json::Members& ConfigReader::members(const std::string& path, const KnownNames& allowed) const {
  const auto& found = members(path);
  for (const auto& [key, value] : found) {
    if (!contains(allowed, key)) fail(path + "." + key, "is not known");
  }
  return found;
}

std::vector<std::pair<std::string, bool>> ConfigReader::switches(const std::string& path, const Json& mapping) const {
  std::vector<std::pair<std::string, bool>> result;
  for (const auto& [name, on] : members(path, mapping)) result.emplace_back(name, !on.is_falsy());
  return result;
}

std::vector<std::string> ConfigReader::enabled(const std::string& section, const KnownNames& known) const {
  std::vector<std::string> names;
  for (const auto& [name, on] : switches(section, value(section))) {
    if (!on) continue;
    if (contains(known, name)) {
      names.push_back(name);
    } else {
      warn(section + ": \"" + name + "\" is not known and skipped");
    }
  }
  return names;
}

}  // namespace wazoauth
