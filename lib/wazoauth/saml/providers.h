// The service providers of all tenants: made when they are asked for, kept as long as the configuration stays what it
// was.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "wazoauth/saml/service_provider.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::saml {

// Where the provider of a domain comes from: it is here already, or is made of what the database says.
struct Source {
  std::string domain, digest;  // of the whole configuration
  Profile profile;
  bool known = false;
  std::shared_ptr<const ServiceProvider> provider;  // when it is known; null: none can be made
};

class Providers {
 public:
  explicit Providers(const SamlSettings& settings) : settings_(settings) {}

  // nullopt when the domain has no configuration, or we have no key; of the latter the log tells.
  std::optional<Source> find(UnitOfWork& unit, const std::string& domain);

  // Null when none can be made; the log says why, once. Takes 80 ms of CPU when one has to be made.
  std::shared_ptr<const ServiceProvider> get(const Source& source);

 private:
  struct Entry {
    std::string digest;
    std::shared_ptr<const ServiceProvider> provider;
    std::uint64_t used = 0;  // when, as uses_ counts
  };
  void make_room();
  std::optional<Entry> entry_of(const std::string& domain);
  std::shared_ptr<const ServiceProvider> make(const Source& source) const;

  const SamlSettings& settings_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by domain
  std::uint64_t uses_ = 0;
};

}  // namespace wazoauth::saml
