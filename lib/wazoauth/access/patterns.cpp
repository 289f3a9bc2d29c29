#include "wazoauth/access/patterns.h"

#include <algorithm>
#include <deque>

#include "wazoauth/acl/explain.h"

namespace wazoauth::access {

namespace {

// Calls `use(id, pattern)` for each access that a policy has.
template <typename Use>
void each_pattern(UnitOfWork& unit, Use use) {
  const Rows rows = unit.run("access.patterns");
  const int id = rows.column("id"), access = rows.column("access");
  for (std::size_t row = 0; row < rows.size(); ++row)
    use(std::string(rows.raw(row, id).value_or("")), acl::Pattern(rows.raw(row, access).value_or("")));
}

// The words of an access that may be users: `me` stands for a whole word. A newline at the end may be left over.
std::vector<std::string> possible_users(std::string_view required) {
  if (required.ends_with('\n')) required.remove_suffix(1);
  std::vector<std::string> words;
  for (std::size_t begin = 0;;) {
    const std::size_t dot = required.find('.', begin);
    const std::string_view word = required.substr(begin, dot - begin);
    if (!word.empty() && word.find('\0') == std::string_view::npos) words.emplace_back(word);
    if (dot == std::string_view::npos) return words;
    begin = dot + 1;
  }
}

// A required access as one user asks for it; the text keeps views of the rest.
struct Asked {
  Asked(std::string user, std::string_view required)
      : user_uuid(std::move(user)), holder(holder_at_login(user_uuid)), text(required, holder) {}
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  const std::string user_uuid;
  const acl::Holder holder;
  acl::Text text;
};

}  // namespace

std::vector<MatchingPattern> patterns_matching(UnitOfWork& unit, std::string_view required,
                                               const std::string& user_uuid) {
  std::vector<MatchingPattern> matching;
  Asked asked(user_uuid, required);
  each_pattern(unit, [&](const std::string& id, const acl::Pattern& pattern) {
    if (pattern.matches(asked.text)) matching.push_back({id, pattern.negated(), ""});
  });
  return matching;
}

std::vector<MatchingPattern> patterns_matching(UnitOfWork& unit, std::string_view required) {
  const Rows named = unit.run("access.users_among", {Param(possible_users(required))});
  std::deque<Asked> users;
  for (std::size_t row = 0; row < named.size(); ++row) users.emplace_back(named.text(row, "uuid"), required);
  Asked anybody("me", required);  // those whom the access doesn't name
  std::vector<MatchingPattern> matching;
  each_pattern(unit, [&](const std::string& id, const acl::Pattern& pattern) {
    if (pattern.matches(anybody.text)) {
      matching.push_back({id, pattern.negated(), ""});
      return;
    }
    for (Asked& user : users) {
      if (pattern.matches(user.text)) matching.push_back({id, pattern.negated(), user.user_uuid});
    }
  });
  return matching;
}

}  // namespace wazoauth::access
