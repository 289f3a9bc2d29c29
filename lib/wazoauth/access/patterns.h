// Which accesses of all policies match a required access.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/holder.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::access {

// A login that hasn't happened yet has a session that nobody can name.
inline acl::Holder holder_at_login(std::string_view user_uuid) {
  return {user_uuid, "my_session"};
}

struct MatchingPattern {
  std::string access_id;
  bool negated = false;
  std::string only_user;  // it matches for this user alone, whom the required access names; "": for everybody
};

// For one user.
std::vector<MatchingPattern> patterns_matching(UnitOfWork& unit, std::string_view required,
                                               const std::string& user_uuid);
// For each user whose login would come now.
std::vector<MatchingPattern> patterns_matching(UnitOfWork& unit, std::string_view required);

}  // namespace wazoauth::access
