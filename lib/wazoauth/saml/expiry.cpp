#include "wazoauth/saml/expiry.h"

#include <algorithm>

#include "wazoauth/saml/idp_metadata.h"
#include "wazoauth/saml/xml.h"

namespace wazoauth::saml {

namespace {

constexpr std::size_t most_configurations = 1000;

// nullopt: nothing says so, or nobody can log in with it anyway.
std::optional<std::int64_t> end_of_metadata(const std::string& xml) {
  try {
    return end_of(read_idp_metadata(xml));
  } catch (const BadXml&) {
    return std::nullopt;
  }
}

}  // namespace

void tell_expiry(Database& database, Meters& meters, std::string& seen) {
  UnitOfWork unit(database, Mode::read_only);
  std::string version = unit.run("saml.configurations_version").text(0, "version");
  if (version == seen) return;
  std::vector<Expiries::Named> all;
  std::string domain;
  // One at a time: each may have two megabytes.
  for (std::size_t i = 0; i < most_configurations; ++i) {
    const Rows rows = unit.run("saml.next_metadata", {domain});
    if (rows.empty()) break;
    domain = rows.text(0, "domain");
    if (const auto end = end_of_metadata(rows.text(0, "metadata"))) all.push_back({domain, *end});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.end < b.end; });
  meters.idp_metadata.set(all);
  seen = std::move(version);
}

}  // namespace wazoauth::saml
