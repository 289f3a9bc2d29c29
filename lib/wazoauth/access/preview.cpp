#include "wazoauth/access/preview.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "wazoauth/access/patterns.h"
#include "wazoauth/acl/examples.h"
#include "wazoauth/acl/explain.h"

namespace wazoauth::access {

namespace {

using Names = std::vector<std::string>;

constexpr std::size_t most_examples = 5000;
constexpr std::size_t shown_users = 5;
const char* const edited = "";  // in place of the UUID of the policy that is edited, with what it has then

// Users who have the same policies, now and after the change.
struct Alike {
  Names before, after;
  std::int64_t users = 0;
  Json first;
};

class Bits {
 public:
  explicit Bits(std::size_t size) : words_(size / 64 + 1) {}
  void set(std::size_t place) { words_[place / 64] |= std::uint64_t{1} << place % 64; }
  bool has(std::size_t place) const { return words_[place / 64] >> place % 64 & 1; }
  void merge(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::vector<std::uint64_t> words_;
};

// An access that the change puts in or takes out, and the examples that show what it does.
struct Changed {
  std::string access;
  bool gains = false;
  std::vector<std::size_t> examples{};
};

class Previewer {
 public:
  Previewer(UnitOfWork& unit, const Settings& settings, const ProposedChange& change, const std::string& tenant)
      : unit_(unit), change_(change) {
    find_users(settings, tenant);
    find_accesses();
    find_changes();
    choose_examples();
  }

  Preview result() {
    Preview result;
    result.skipped = skipped_;
    for (const Alike& each : alike_) result.users += each.users;
    judge_examples();
    std::map<std::pair<bool, std::vector<bool>>, std::size_t> known;  // who gains or loses, and the effect's place
    std::vector<std::vector<bool>> whom(changed_.size(), std::vector<bool>(alike_.size()));
    for (std::size_t i = 0; i < alike_.size(); ++i) mark(i, whom);
    for (std::size_t i = 0; i < changed_.size(); ++i) {
      const auto [at, is_new] = known.emplace(std::pair(changed_[i].gains, whom[i]), result.effects.size());
      if (is_new) result.effects.push_back(effect_for(changed_[i].gains, whom[i]));
      result.effects[at->second].accesses.push_back(changed_[i].access);
    }
    return result;
  }

 private:
  void find_users(const Settings& settings, const std::string& tenant) {
    const bool removes = change_.kind == ProposedChange::Kind::remove;
    const Rows rows = unit_.run("access.reached", {tenant, change_.user_uuid, change_.group_uuid, change_.policy_uuid,
                                                   removes, settings.default_user_policy});
    for (std::size_t row = 0; row < rows.size(); ++row)
      alike_.push_back(
          {rows.texts(row, "before"), rows.texts(row, "after"), rows.integer(row, "users"), rows.json(row, "first")});
    if (change_.kind == ProposedChange::Kind::edit) {
      for (Alike& each : alike_)
        std::replace(each.after.begin(), each.after.end(), *change_.policy_uuid, std::string(edited));
    }
    if (change_.kind != ProposedChange::Kind::add) return;
    const Names more = change_.policy_uuid ? Names{*change_.policy_uuid} : policies_of_group();
    for (Alike& each : alike_) each.after.insert(each.after.end(), more.begin(), more.end());
    touched_.insert(more.begin(), more.end());
  }

  Names policies_of_group() { return unit_.run("access.policies_of_group", {change_.group_uuid}).texts(0, "policies"); }

  // Of each policy that matters.
  void find_accesses() {
    if (change_.kind == ProposedChange::Kind::remove) {
      const Names gone = change_.policy_uuid ? Names{*change_.policy_uuid} : policies_of_group();
      touched_.insert(gone.begin(), gone.end());
    }
    std::set<std::string> all = touched_;
    for (const Alike& each : alike_) {
      all.insert(each.before.begin(), each.before.end());
      all.insert(each.after.begin(), each.after.end());
    }
    if (change_.policy_uuid) all.insert(*change_.policy_uuid);
    all.erase(edited);
    const Rows rows = unit_.run("access.of_policies", {Param(Names(all.begin(), all.end()))});
    const int policy = rows.column("policy_uuid"), access = rows.column("access");
    for (std::size_t row = 0; row < rows.size(); ++row)
      accesses_[std::string(rows.raw(row, policy).value_or(""))].emplace_back(rows.raw(row, access).value_or(""));
    if (change_.kind == ProposedChange::Kind::edit) accesses_[edited] = change_.acl;
  }

  // A negation that comes takes accesses away, and one that goes gives some.
  void find_changes() {
    std::set<std::string> come, go;
    if (change_.kind == ProposedChange::Kind::edit) {
      const Names& old = accesses_[*change_.policy_uuid];
      go.insert(old.begin(), old.end());
      for (const std::string& access : change_.acl) {
        if (go.erase(access) == 0 && std::find(old.begin(), old.end(), access) == old.end()) come.insert(access);
      }
    } else {
      auto& changed = change_.kind == ProposedChange::Kind::add ? come : go;
      for (const std::string& policy : touched_) changed.insert(accesses_[policy].begin(), accesses_[policy].end());
    }
    for (const std::string& access : come) changed_.push_back({access, !access.starts_with('!')});
    for (const std::string& access : go) changed_.push_back({access, access.starts_with('!')});
  }

  void choose_examples() {
    std::unordered_map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < changed_.size(); ++i) {
      if (examples_.size() >= most_examples) {
        skipped_ = changed_.size() - i;
        changed_.resize(i);
        return;
      }
      Changed& each = changed_[i];
      for (std::string& example : examples_of(each.access)) {
        const auto [at, is_new] = known.emplace(example, examples_.size());
        if (is_new) examples_.push_back(std::move(example));
        each.examples.push_back(at->second);
      }
    }
  }

  std::vector<std::string> examples_of(const std::string& access) const {
    if (!access.starts_with('!')) return acl::examples(access);
    const std::string denied = access.substr(1);
    std::set<std::string> found;
    for (const auto& [_, accesses] : accesses_) {
      for (const std::string& given : accesses) {
        if (given.starts_with('!')) continue;
        if (auto both = acl::example_of_both(denied, given)) found.insert(std::move(*both));
      }
    }
    return {found.begin(), found.end()};
  }

  struct Judged {
    Bits granted, negated;
  };

  // Which examples each policy grants and denies. Each access is matched once, however many policies have it.
  void judge_examples() {
    const acl::Holder holder = holder_at_login("me");  // whom no example names
    std::deque<acl::Text> texts;
    for (const std::string& example : examples_) texts.emplace_back(example, holder);
    std::unordered_map<std::string, Bits> matching;
    for (const auto& [policy, accesses] : accesses_) {
      Judged& judged = judged_.emplace(policy, Judged{Bits(examples_.size()), Bits(examples_.size())}).first->second;
      for (const std::string& access : accesses) {
        const auto [at, is_new] = matching.emplace(access, Bits(examples_.size()));
        if (is_new) {
          const acl::Pattern pattern(access);
          for (std::size_t i = 0; i < texts.size(); ++i) {
            if (pattern.matches(texts[i])) at->second.set(i);
          }
        }
        (access.starts_with('!') ? judged.negated : judged.granted).merge(at->second);
      }
    }
  }

  Judged together(const Names& policies) const {
    Judged all{Bits(examples_.size()), Bits(examples_.size())};
    for (const std::string& policy : policies) {
      const auto found = judged_.find(policy);
      if (found == judged_.end()) continue;  // it has no accesses
      all.granted.merge(found->second.granted);
      all.negated.merge(found->second.negated);
    }
    return all;
  }

  // What those users gain and lose.
  void mark(std::size_t place, std::vector<std::vector<bool>>& whom) const {
    const Judged before = together(alike_[place].before), after = together(alike_[place].after);
    const auto has = [](const Judged& judged, std::size_t i) {
      return judged.granted.has(i) && !judged.negated.has(i);
    };
    for (std::size_t i = 0; i < changed_.size(); ++i) {
      const Judged &without = changed_[i].gains ? before : after, &with = changed_[i].gains ? after : before;
      for (const std::size_t example : changed_[i].examples) {
        if (has(with, example) && !has(without, example)) whom[i][place] = true;
      }
    }
  }

  Effect effect_for(bool gains, const std::vector<bool>& whom) const {
    Effect effect;
    effect.gains = gains;
    for (std::size_t i = 0; i < alike_.size(); ++i) {
      if (!whom[i]) continue;
      effect.users += alike_[i].users;
      for (const Json& user : alike_[i].first.items()) effect.first.push_back(user);
    }
    const auto place = [](const Json& user) { return user.get("place").integer(); };
    std::sort(effect.first.begin(), effect.first.end(),
              [&](const Json& a, const Json& b) { return place(a) < place(b); });
    if (effect.first.size() > shown_users) effect.first.resize(shown_users);
    for (Json& user : effect.first) user.erase("place");
    return effect;
  }

  UnitOfWork& unit_;
  const ProposedChange& change_;
  std::vector<Alike> alike_;
  std::set<std::string> touched_;          // policies that come or go
  std::map<std::string, Names> accesses_;  // by policy
  std::vector<Changed> changed_;
  std::vector<std::string> examples_;
  std::map<std::string, Judged> judged_;  // by policy
  std::size_t skipped_ = 0;
};

}  // namespace

Preview preview(UnitOfWork& unit, const Settings& settings, const ProposedChange& change, const std::string& tenant) {
  return Previewer(unit, settings, change, tenant).result();
}

}  // namespace wazoauth::access
