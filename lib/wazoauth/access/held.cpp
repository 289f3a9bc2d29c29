#include "wazoauth/access/held.h"

#include <algorithm>
#include <map>

namespace wazoauth::access {

namespace {

// The parts of an access list, as sql/queries/logins.sql numbers them.
Origin::Kind kind_of(std::int64_t part) {
  if (part == 1) return Origin::Kind::default_user_policy;
  return part == 2 ? Origin::Kind::group_policy : Origin::Kind::user_policy;
}

}  // namespace

std::vector<Held> list_of_user(UnitOfWork& unit, const Settings& settings, const std::string& user_uuid) {
  std::vector<Held> list;
  const Rows rows = unit.run("access.list_of_user", {user_uuid, settings.default_user_policy});
  for (std::size_t row = 0; row < rows.size(); ++row) {
    list.push_back({rows.text(row, "access"),
                    {{kind_of(rows.integer(row, "part")), rows.text(row, "policy_uuid"), rows.text(row, "policy_name"),
                      rows.text(row, "policy_slug"), rows.boolean(row, "config_managed"), rows.text(row, "group_uuid"),
                      rows.text(row, "group_name")}}});
  }
  return list;
}

std::vector<Held> list_of_token(const TokenRecord& token, const std::vector<Held>& now) {
  std::map<std::string, std::vector<Origin>> known;
  for (const Held& each : now) {
    auto& origins = known[each.access];
    origins.insert(origins.end(), each.origins.begin(), each.origins.end());
  }
  std::vector<Held> list;
  for (const std::string& access : token.acl) {
    const auto found = known.find(access);
    list.push_back({access, found == known.end() ? std::vector{Origin{}} : found->second});
  }
  return list;
}

}  // namespace wazoauth::access
