// The service providers of all tenants: made when they are asked for, kept as long as the configuration stays what it
// was.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "wazoauth/saml/service_provider.h"
#include "wazoauth/store/database.h"

namespace wazoauth::saml {

// What the database says of a domain.
struct Source {
  std::string domain, tenant_uuid;
  std::string digest;  // of the whole configuration
  std::string entity_id, acs_url;
  std::optional<std::string> metadata;  // none: unchanged since the last time, a provider may be there
};

class Providers {
 public:
  explicit Providers(const SamlSettings& settings) : settings_(settings) {}

  // Where a provider of this domain would come from; nullopt when it has no configuration.
  std::optional<Source> find(UnitOfWork& unit, const std::string& domain);

  // Null when none can be made; the log says why, once. Takes 80 ms of CPU when one has to be made.
  std::shared_ptr<const ServiceProvider> get(const Source& source);

 private:
  struct Entry {
    std::string digest;
    std::shared_ptr<const ServiceProvider> provider;  // null: none can be made
  };
  std::optional<Entry> known(const std::string& domain);
  std::shared_ptr<const ServiceProvider> make(const Source& source) const;

  const SamlSettings& settings_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by domain
};

}  // namespace wazoauth::saml
