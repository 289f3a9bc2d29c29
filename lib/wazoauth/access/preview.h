// What a change of groups and policies would change for users, before it is made: who gains which accesses, and who
// loses which. An access that somebody still has, or has already, by another policy or group is neither gained nor
// lost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::access {

struct ProposedChange {
  // add, remove: a user and a group, a user and a policy, or a group and a policy. remove: also a group or a policy
  // itself. edit: a policy, which has `acl` then.
  enum class Kind { add, remove, edit };
  Kind kind = Kind::add;
  std::optional<std::string> user_uuid, group_uuid, policy_uuid;
  std::vector<std::string> acl;
};

// The same accesses for the same users.
struct Effect {
  bool gains = false;  // else they lose them
  std::vector<std::string> accesses;
  std::int64_t users = 0;
  std::vector<Json> first;  // up to five of them, by username
};

struct Preview {
  std::int64_t users = 0;  // whom it reaches
  std::vector<Effect> effects;
  std::size_t skipped = 0;  // accesses that weren't looked at, there are too many
};

// Of enabled users of this tenant and below it, as if they logged in now and after the change.
Preview preview(UnitOfWork& unit, const Settings& settings, const ProposedChange& change, const std::string& tenant);

}  // namespace wazoauth::access
