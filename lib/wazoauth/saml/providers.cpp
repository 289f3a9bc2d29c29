#include "wazoauth/saml/providers.h"

#include "wazoauth/json.h"
#include "wazoauth/log.h"

namespace wazoauth::saml {

namespace {
constexpr std::size_t most_providers = 1000;
}

std::optional<Source> Providers::find(UnitOfWork& unit, const std::string& domain) {
  if (!settings_.keys) return std::nullopt;
  const auto entry = known(domain);
  const Rows rows = unit.run("saml.provider", {domain, entry ? std::optional(entry->digest) : std::nullopt});
  if (rows.empty()) return std::nullopt;
  return Source{domain,
                rows.text(0, "tenant_uuid"),
                rows.text(0, "digest"),
                rows.text(0, "entity_id"),
                rows.text(0, "acs_url"),
                rows.optional_text(0, "metadata")};
}

std::shared_ptr<const ServiceProvider> Providers::get(const Source& source) {
  if (const auto entry = known(source.domain); entry && entry->digest == source.digest) return entry->provider;
  // Without metadata another one was here a moment ago; the next request will see what is there now.
  if (!source.metadata) return nullptr;
  auto provider = make(source);
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= most_providers && !entries_.contains(source.domain)) entries_.erase(entries_.begin());
  entries_[source.domain] = {source.digest, provider};
  return provider;
}

std::optional<Providers::Entry> Providers::known(const std::string& domain) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(domain);
  return entry == entries_.end() ? std::nullopt : std::optional(entry->second);
}

std::shared_ptr<const ServiceProvider> Providers::make(const Source& source) const {
  try {
    return std::make_shared<const ServiceProvider>(
        *settings_.keys, Profile{source.entity_id, source.acs_url, *source.metadata}, settings_.rules);
  } catch (const Unusable& e) {
    log::warning("SAML: nobody can log in through " + Json(source.domain).dump() + ": " + e.what());
    return nullptr;
  }
}

}  // namespace wazoauth::saml
