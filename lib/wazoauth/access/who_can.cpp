#include "wazoauth/access/who_can.h"

#include "wazoauth/access/patterns.h"

namespace wazoauth::access {

// Patterns are few and users are many: each pattern is matched once, and PostgreSQL goes from those that match to
// policies, groups and users.
Rows who_can(UnitOfWork& unit, const Settings& settings, const WhoCan& asked) {
  std::vector<std::string> ids, negated, users;
  for (const MatchingPattern& pattern : patterns_matching(unit, asked.access)) {
    ids.push_back(pattern.access_id);
    negated.emplace_back(pattern.negated ? "true" : "false");
    users.push_back(pattern.only_user);
  }
  return unit.run("access.who_can",
                  {asked.tenant_uuid, asked.recurse, Param(ids), Param(negated), Param(users),
                   settings.default_user_policy, asked.search_pattern, asked.limit, asked.offset},
                  {{"order", asked.order}, {"direction", asked.descending ? "DESC" : "ASC"}});
}

}  // namespace wazoauth::access
