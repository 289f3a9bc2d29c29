#include "wazoauth/audit/relay.h"

#include "wazoauth/store/leader.h"

namespace wazoauth::audit {

namespace {

constexpr std::string_view lead = "wazo_auth.audit_file";
constexpr std::chrono::milliseconds idle{5000}, poll{1000};

}  // namespace

Relay::Relay(Options options)
    : options_(std::move(options)),
      database_(leader_options(options_.database)),
      trouble_(log::Level::error, options_.to + ": it gets entries again") {}

void Relay::run() {
  for (std::chrono::milliseconds pause{0}; options_.wake->wait(pause);) {
    pause = idle;
    try {
      // Of one nginx, whether it has a file or syslog: there is one place in the log up to which entries were written.
      if (!take_lead(database_, lead)) continue;
      pause = relay() ? std::chrono::milliseconds(0) : poll;
      trouble_.over();
    } catch (const std::exception& e) {
      trouble_.is(options_.to + ": " + e.what());
    }
  }
}

bool Relay::relay() {
  UnitOfWork unit(database_);
  require_lead(unit, lead);
  unit.run("audit.renumber");
  const Rows last = unit.run("audit.cursor");
  const Rows rows = unit.run("audit.waiting", {last.text(0, "xact"), last.integer(0, "id")});
  if (!rows.empty()) {
    std::vector<std::string> entries;
    for (std::size_t i = 0; i < rows.size(); ++i) entries.push_back(rows.text(i, "entry"));
    options_.deliver(entries);
    unit.run("audit.written", {rows.text(rows.size() - 1, "xact"), rows.integer(rows.size() - 1, "id")});
  }
  unit.commit();
  return !rows.empty();
}

}  // namespace wazoauth::audit
