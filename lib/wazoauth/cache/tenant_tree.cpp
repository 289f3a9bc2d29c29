#include "wazoauth/cache/tenant_tree.h"

#include "wazoauth/base/log.h"

namespace wazoauth {

namespace {
constexpr std::chrono::milliseconds unheard{1000};  // how old a snapshot may be while LISTEN isn't known good
}  // namespace

std::shared_ptr<const TenantTree::Snapshot> TenantTree::current() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

std::optional<bool> TenantTree::in_subtree(std::string_view child, std::string_view ancestor) const {
  const auto snapshot = current();
  if (!snapshot) return std::nullopt;
  const BootTime now = BootClock::now();
  const bool up_to_date =
      node_.listening(now) ? snapshot->generation == node_.tenant_generation() : now - snapshot->read_at <= unheard;
  if (!up_to_date) return std::nullopt;
  // Bounded by the number of tenants, in case the parents form a circle.
  auto at = snapshot->parents.find(child);
  for (std::size_t steps = 0; at != snapshot->parents.end() && steps <= snapshot->parents.size(); ++steps) {
    if (at->first == ancestor) return true;
    if (at->second == at->first) break;
    at = snapshot->parents.find(at->second);
  }
  return false;
}

bool TenantTree::refresh() {
  auto fresh = std::make_shared<Snapshot>();
  fresh->generation = node_.tenant_generation();
  fresh->read_at = BootClock::now();
  try {
    UnitOfWork unit(database_, Mode::read_only);
    const Rows rows = unit.run("node.tenants");
    for (std::size_t i = 0; i < rows.size(); ++i)
      fresh->parents.emplace(rows.text(i, "uuid"), rows.text(i, "parent_uuid"));
  } catch (const Unavailable& e) {
    log::warning(std::string("the tree of tenants can't be read: ") + e.what());
    return false;
  }
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(fresh);
  return true;
}

}  // namespace wazoauth
