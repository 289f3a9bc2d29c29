#include "wazoauth/store/leader.h"

namespace wazoauth {

namespace {

// The holder gets it once more, which costs nothing: one unlock gives back all.
bool lock(UnitOfWork& unit, std::string_view name) {
  return unit.run("node.lock", {name}).boolean(0, "got");
}

}  // namespace

DatabaseOptions leader_options(DatabaseOptions options) {
  options.connections = 1;
  options.acquire_timeout = std::chrono::milliseconds(1000);
  options.connect_timeout = std::chrono::milliseconds(2000);
  options.statement_timeout = std::chrono::milliseconds(5000);
  options.idle_timeout = std::chrono::hours(24 * 365);
  return options;
}

bool take_lead(Database& database, std::string_view name) {
  UnitOfWork unit(database, Mode::read_only);
  return lock(unit, name);
}

void give_up_lead(Database& database) {
  UnitOfWork(database, Mode::read_only).run("node.unlock");
}

void require_lead(UnitOfWork& unit, std::string_view name) {
  if (!lock(unit, name)) throw Unavailable("another nginx has taken over");
}

}  // namespace wazoauth
