// Why a user or a token may, or may not: the decision about one required access, the pattern that decided, the policy
// and the group that it comes from, and what would have to change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wazoauth/access/held.h"

namespace wazoauth::access {

enum class Reason {
  granted,
  negated,        // a negation matches
  no_match,       // nothing matches
  user_disabled,  // there is no login that could give it
};

// A pattern that matches the required access.
struct Match {
  std::string pattern;  // as the list has it
  bool negated = false;
  std::vector<Origin> origins;
};

struct Judgement {
  Reason reason = Reason::no_match;
  std::vector<Match> matches;  // negations first, each pattern once
  std::size_t patterns = 0;    // how many the list has

  bool allowed() const { return reason == Reason::granted; }
  const Match* deciding() const { return matches.empty() ? nullptr : &matches.front(); }
};

// Something that has to change before the access is granted: of those to attach, and to add, one will do; of all other
// kinds each is needed.
struct Change {
  enum class Kind { enable_user, remove_access, attach_policy, add_access, log_in_again };
  Kind kind = Kind::add_access;
  std::string text;     // a sentence
  std::string pattern;  // to remove or to add
  std::string policy_uuid, policy_name, policy_slug;
};

struct Explanation {
  std::string access, tenant_uuid;
  std::string user_uuid;  // "" for a token that is no user's
  bool of_token = false;  // else of a login that would come now
  Judgement judgement;
  std::optional<Judgement> login;  // of a user's token: what a login now would give
  std::vector<Change> changes;     // none when it is granted

  std::string summary() const;  // sentences for people
};

struct User {
  std::string uuid, tenant_uuid;
  bool enabled = false;
};
// `tenant`: the user is of it or of one below it; nullopt: of any. Nullopt when there is no such user.
std::optional<User> find_user(UnitOfWork& unit, const std::string& uuid, const std::optional<std::string>& tenant);
// By a UUID, or by what users log in with.
std::optional<User> find_user_named(UnitOfWork& unit, const std::string& name);

// As a login now would be judged. Its session is new, so `my_session` stands for itself.
Explanation explain(UnitOfWork& unit, const Settings& settings, const User& user, const std::string& required);
// By the list that the token got when it was made, which may be older than the policies.
Explanation explain(UnitOfWork& unit, const Settings& settings, const TokenRecord& token, const std::string& required);

}  // namespace wazoauth::access
