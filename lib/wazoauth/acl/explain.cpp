#include "wazoauth/acl/explain.h"

#include "wazoauth/acl/compile.h"

namespace wazoauth::acl {

Pattern::Pattern(std::string_view access)
    : negated_(access.starts_with('!')), program_(compile_pattern(negated_ ? access.substr(1) : access)) {}

std::optional<std::size_t> Decision::deciding() const {
  if (!negated.empty()) return negated.front();
  return granting.empty() ? std::nullopt : std::optional(granting.front());
}

Decision explain(const std::vector<std::string>& accesses, std::string_view required, const Holder& holder) {
  Decision decision;
  Text text(required, holder);
  for (std::size_t place = 0; place < accesses.size(); ++place) {
    const Pattern pattern(accesses[place]);
    if (pattern.matches(text)) (pattern.negated() ? decision.negated : decision.granting).push_back(place);
  }
  return decision;
}

}  // namespace wazoauth::acl
