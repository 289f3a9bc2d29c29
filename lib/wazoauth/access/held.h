// The access list of a user or of a token, and where each access of it comes from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wazoauth/cache/token_record.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::access {

struct Origin {
  enum class Kind {
    user_policy,
    group_policy,
    default_user_policy,  // the one that the setting of this name puts before everybody's own
    token,                // only the token has it: no policy gives it to its user any more
  };
  Kind kind = Kind::token;
  std::string policy_uuid, policy_name, policy_slug;
  bool config_managed = false;
  std::string group_uuid, group_name;  // of a group's policy

  bool operator==(const Origin&) const = default;
};

struct Held {
  std::string access;
  std::vector<Origin> origins;
};

// The list that a login now would give, without the deprecated `backend` of a login's body.
std::vector<Held> list_of_user(UnitOfWork& unit, const Settings& settings, const std::string& user_uuid);

// The list of a token. `now`: its user's as of now; the origins are from there.
std::vector<Held> list_of_token(const TokenRecord& token, const std::vector<Held>& now);

}  // namespace wazoauth::access
