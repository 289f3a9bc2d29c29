#include "wazoauth/config/shown.h"

#include <algorithm>

namespace wazoauth {
namespace {

constexpr std::string_view mask = "********";

// Sections whose keys an administrator chose: names of policies, groups, plug-ins and services. They say nothing of the
// value.
bool holds_names(std::string_view section) {
  for (const std::string_view name :
       {"default_policies", "all_users_policies", "tenant_default_groups", "policies", "external_auth_types"}) {
    if (section == name) return true;
  }
  return section.ends_with("_plugins");
}

bool is_secret(std::string_view key, std::string_view section) {
  if (holds_names(section)) return false;
  for (const std::string_view word : {"password", "secret", "secret_key", "api_key", "access_token", "client_secret"}) {
    if (key == word) return true;
    if (key.size() > word.size() && key.ends_with(word) && key[key.size() - word.size() - 1] == '_') return true;
  }
  return key == "token" && section == "consul";
}

// scheme://user:PASSWORD@host. A raw '@', '/' or '?' may be part of a password, so it ends at the last '@'.
std::string without_uri_password(const std::string& text) {
  const auto scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const auto colon = text.find_first_of(":/?#@", scheme + 3);
  const auto end = text.rfind('@');
  if (colon == std::string::npos || text[colon] != ':' || end == std::string::npos || end < colon) return text;
  return text.substr(0, colon + 1) + std::string(mask) + text.substr(end);
}

// Also libpq's options: "?password=x&..." in a URI, "password=x" or "password = 'x y'" in a list of settings.
std::string without_password_option(std::string text) {
  constexpr std::string_view name = "password";
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
    std::size_t start = at + name.size();
    while (start < text.size() && text[start] == ' ') ++start;
    at = start;
    if (start == text.size() || text[start] != '=') continue;
    ++start;
    while (start < text.size() && text[start] == ' ') ++start;
    std::size_t end = start;
    if (end < text.size() && text[end] == '\'') {
      for (++end; end < text.size() && text[end] != '\''; ++end) {
        if (text[end] == '\\') ++end;
      }
      if (end < text.size()) ++end;
    } else {
      while (end < text.size() && text[end] != '&' && text[end] != ' ') ++end;
    }
    end = std::min(end, text.size());
    text.replace(start, end - start, mask);
    at = start + mask.size();
  }
  return text;
}

Json masked(const Json& value, std::string_view key, std::string_view section) {
  if (value.is_boolean()) return value;
  if (is_secret(key, section)) return value.is_falsy() ? value : Json(mask);
  if (value.is_object()) {
    Json result = Json::object();
    for (const auto& [name, member] : value.members()) result.set(name, masked(member, name, key));
    return result;
  }
  if (value.is_array()) {
    Json result = Json::array();
    for (const auto& item : value.items()) result.append(masked(item, key, section));
    return result;
  }
  if (!value.is_string()) return value;
  std::string text = without_uri_password(std::string(value.text()));
  if (key == "uri" || key.ends_with("_uri")) text = without_password_option(std::move(text));
  return Json(text);
}

// The seeding, if it runs, gives one to each policy that has none.
Json with_descriptions(Json policies, const std::vector<DefaultPolicy>& seeded) {
  for (const DefaultPolicy& policy : seeded) {
    Json entry = policies.get(policy.slug);
    if (!entry.has("description")) policies.set(policy.slug, entry.set("description", policy.description));
  }
  return policies;
}

}  // namespace

Json shown_config(const Settings& settings, bool debug, bool profiling) {
  Json shown = masked(settings.tree, "", "");
  if (settings.update_policy_on_startup)
    shown.set("default_policies", with_descriptions(shown.get("default_policies"), settings.default_policies));
  shown.set("log_level", settings.log_level);
  shown.set("debug", debug);
  shown.set("profiling_enabled", profiling);
  return shown;
}

}  // namespace wazoauth
