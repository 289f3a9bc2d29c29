// The users whom a login now would give an access, and where they have it from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::access {

struct WhoCan {
  std::string access;
  std::optional<std::string> tenant_uuid;  // users of this one; nullopt: of all
  bool recurse = false;                    // and of those below it
  std::optional<std::string> search_pattern{};
  std::string order = "username";  // or firstname, lastname
  bool descending = false;
  std::optional<std::int64_t> limit{};
  std::int64_t offset = 0;
};

// Rows of the statement access.who_can. Who has a negation that matches isn't among them, and who is disabled isn't.
Rows who_can(UnitOfWork& unit, const Settings& settings, const WhoCan& asked);

}  // namespace wazoauth::access
