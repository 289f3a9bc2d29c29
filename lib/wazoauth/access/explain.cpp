#include "wazoauth/access/explain.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "wazoauth/access/patterns.h"
#include "wazoauth/acl/explain.h"
#include "wazoauth/base/ascii.h"
#include "wazoauth/base/uuid.h"

namespace wazoauth::access {

namespace {

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

Judgement judge(const std::vector<Held>& list, const std::string& required, const acl::Holder& holder) {
  std::vector<std::string> accesses;
  for (const Held& each : list) accesses.push_back(each.access);
  const acl::Decision decision = acl::explain(accesses, required, holder);
  Judgement judgement;
  judgement.patterns = list.size();
  std::unordered_map<std::string_view, std::size_t> known;  // patterns, and their places in `matches`
  for (const auto* places : {&decision.negated, &decision.granting}) {
    for (const std::size_t place : *places) {
      const std::string& pattern = list[place].access;
      if (known.emplace(pattern, judgement.matches.size()).second)
        judgement.matches.push_back({pattern, pattern.starts_with('!'), {}});
      Match& match = judgement.matches[known[pattern]];
      for (const Origin& origin : list[place].origins) {
        const bool there = std::find(match.origins.begin(), match.origins.end(), origin) != match.origins.end();
        if (!there) match.origins.push_back(origin);
      }
    }
  }
  if (decision.granted())
    judgement.reason = Reason::granted;
  else if (!decision.negated.empty())
    judgement.reason = Reason::negated;
  return judgement;
}

// -- what would have to change

std::string place_of(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::group_policy:
      return "policy " + quoted(origin.policy_name) + " of group " + quoted(origin.group_name);
    case Origin::Kind::default_user_policy:
      return "policy " + quoted(origin.policy_name) + ", the default_user_policy of the configuration";
    case Origin::Kind::user_policy:
      return "policy " + quoted(origin.policy_name) + " of the user";
    case Origin::Kind::token:
      break;
  }
  return "the token alone";
}

// A policy that the configuration manages can't be changed by the API, but taken from its holder.
Change removal(const Match& match, const Origin& origin) {
  std::string how;
  if (origin.kind != Origin::Kind::default_user_policy)
    how = origin.kind == Origin::Kind::group_policy ? "take that policy, or the user, out of the group"
                                                    : "take that policy from the user";
  std::string text = "Remove " + quoted(match.pattern) + " from " + place_of(origin);
  if (origin.config_managed) text += " (in default_policies of the configuration)";
  if (!how.empty()) text += ", or " + how;
  return {Change::Kind::remove_access, text + ".",         match.pattern,
          origin.policy_uuid,          origin.policy_name, origin.policy_slug};
}

std::vector<Change> removals(const Judgement& judgement) {
  std::vector<Change> changes;
  for (const Match& match : judgement.matches) {
    if (!match.negated) continue;
    for (const Origin& origin : match.origins) changes.push_back(removal(match, origin));
  }
  return changes;
}

std::vector<Change> grants(UnitOfWork& unit, const User& user, const std::string& required) {
  std::vector<std::string> granting, negated;
  for (const MatchingPattern& pattern : patterns_matching(unit, required, user.uuid))
    (pattern.negated ? negated : granting).push_back(pattern.access_id);
  std::vector<Change> changes;
  const Rows rows = unit.run("access.granting_policies", {user.tenant_uuid, Param(granting), Param(negated)});
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::string name = rows.text(row, "name");
    changes.push_back({Change::Kind::attach_policy,
                       "Attach policy " + quoted(name) + " to the user or to one of the user's groups.", "",
                       rows.text(row, "uuid"), name, rows.text(row, "slug")});
  }
  if (changes.empty())
    changes.push_back({Change::Kind::add_access,
                       "Add " + quoted(required) + " to a policy of the user: none that its tenant has grants it.",
                       required, "", "", ""});
  return changes;
}

std::vector<Change> changes_of(UnitOfWork& unit, const User& user, const Judgement& judgement,
                               const std::string& required) {
  if (judgement.allowed()) return {};
  std::vector<Change> changes;
  if (!user.enabled)
    changes.push_back(
        {Change::Kind::enable_user, "Enable the user: one who is disabled can't log in.", "", "", "", ""});
  for (Change& change : removals(judgement)) changes.push_back(std::move(change));
  const bool granted = std::any_of(judgement.matches.begin(), judgement.matches.end(),
                                   [](const Match& match) { return !match.negated; });
  if (granted) return changes;
  for (Change& change : grants(unit, user, required)) changes.push_back(std::move(change));
  return changes;
}

// -- both kinds

Judgement judge_login(const User& user, const std::vector<Held>& list, const std::string& required) {
  Judgement judgement = judge(list, required, holder_at_login(user.uuid));
  if (!user.enabled) judgement.reason = Reason::user_disabled;
  return judgement;
}

std::string sentence(const Judgement& judgement) {
  if (judgement.reason == Reason::user_disabled) return "The user is disabled and can't log in.";
  const Match* match = judgement.deciding();
  if (!match) return "None of its " + std::to_string(judgement.patterns) + " accesses matches.";
  std::string text = quoted(match->pattern) + (match->negated ? " denies it: " : " grants it: ");
  for (const Origin& origin : match->origins)
    text += (&origin == &match->origins.front() ? "" : "; ") + place_of(origin);
  return text + ".";
}

}  // namespace

std::string Explanation::summary() const {
  std::string text = sentence(judgement);
  if (!login) return text;
  if (login->allowed() == judgement.allowed()) return text;
  return text + (login->allowed() ? " A new login would be allowed. " : " A new login would not be allowed. ") +
         sentence(*login);
}

std::optional<User> find_user(UnitOfWork& unit, const std::string& uuid, const std::optional<std::string>& tenant) {
  const Rows rows = unit.run("access.user", {uuid, tenant});
  if (rows.empty()) return std::nullopt;
  return User{rows.text(0, "uuid"), rows.text(0, "tenant_uuid"), rows.boolean(0, "enabled")};
}

std::optional<User> find_user_named(UnitOfWork& unit, const std::string& name) {
  if (is_uuid(name)) return find_user(unit, ascii::lower(name), std::nullopt);
  const Rows rows = unit.run("access.user_of_login", {name});
  return rows.empty() ? std::nullopt : find_user(unit, rows.text(0, "uuid"), std::nullopt);
}

Explanation explain(UnitOfWork& unit, const Settings& settings, const User& user, const std::string& required) {
  Explanation explanation;
  explanation.access = required;
  explanation.tenant_uuid = user.tenant_uuid;
  explanation.user_uuid = user.uuid;
  explanation.judgement = judge_login(user, list_of_user(unit, settings, user.uuid), required);
  explanation.changes = changes_of(unit, user, explanation.judgement, required);
  return explanation;
}

Explanation explain(UnitOfWork& unit, const Settings& settings, const TokenRecord& token, const std::string& required) {
  Explanation explanation;
  explanation.access = required;
  explanation.tenant_uuid = token.session_tenant_uuid;
  explanation.of_token = true;
  const auto user = find_user(unit, token.auth_id, std::nullopt);
  const std::vector<Held> now = user ? list_of_user(unit, settings, user->uuid) : std::vector<Held>();
  explanation.judgement = judge(list_of_token(token, now), required, {token.auth_id, token.session_uuid});
  if (!user) return explanation;
  explanation.user_uuid = user->uuid;
  explanation.login = judge_login(*user, now, required);
  if (explanation.judgement.allowed()) return explanation;
  explanation.changes = changes_of(unit, *user, *explanation.login, required);
  explanation.changes.push_back(
      {Change::Kind::log_in_again, "Log in again: a token keeps the accesses that its login gave it.", "", "", "", ""});
  return explanation;
}

}  // namespace wazoauth::access
