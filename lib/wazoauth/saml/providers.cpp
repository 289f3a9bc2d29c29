#include "wazoauth/saml/providers.h"

#include <algorithm>

#include "wazoauth/base/json.h"
#include "wazoauth/base/log.h"

namespace wazoauth::saml {

namespace {
constexpr std::size_t most_providers = 1000;
}

std::optional<Source> Providers::find(UnitOfWork& unit, const std::string& domain) {
  const auto entry = entry_of(domain);
  const Rows rows = unit.run("saml.provider", {domain, entry ? std::optional(entry->digest) : std::nullopt});
  if (rows.empty()) return std::nullopt;
  if (!settings_.keys) {
    log::warning("SAML: nobody can log in through " + Json(domain).dump() + ": there is no key or no certificate (" +
                 settings_.key_file + ", " + settings_.cert_file + ")");
    return std::nullopt;
  }
  Source source{domain, rows.text(0, "digest")};
  source.known = entry && entry->digest == source.digest;
  if (source.known)
    source.provider = entry->provider;
  else
    source.profile = {rows.text(0, "entity_id"), rows.text(0, "acs_url"), rows.text(0, "metadata")};
  return source;
}

std::shared_ptr<const ServiceProvider> Providers::get(const Source& source) {
  if (source.known) return source.provider;
  // Somebody else may have made it meanwhile.
  if (const auto entry = entry_of(source.domain); entry && entry->digest == source.digest) return entry->provider;
  auto provider = make(source);
  const std::lock_guard lock(mutex_);
  if (!entries_.contains(source.domain)) make_room();
  entries_[source.domain] = {source.digest, provider, ++uses_};
  return provider;
}

// Drops the least recently used one.
void Providers::make_room() {
  if (entries_.size() < most_providers) return;
  entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                  [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
}

std::optional<Providers::Entry> Providers::entry_of(const std::string& domain) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(domain);
  if (entry == entries_.end()) return std::nullopt;
  entry->second.used = ++uses_;
  return entry->second;
}

std::shared_ptr<const ServiceProvider> Providers::make(const Source& source) const {
  try {
    return std::make_shared<const ServiceProvider>(*settings_.keys, source.profile, settings_.rules);
  } catch (const Unusable& e) {
    log::warning("SAML: nobody can log in through " + Json(source.domain).dump() + ": " + e.what());
    return nullptr;
  }
}

}  // namespace wazoauth::saml
