// Locks, from the command line: docs/locks.md.
#include "tool.h"
#include "wazoauth/lock/locks.h"

namespace {

using namespace wazoauth;

constexpr char usage[] = R"(usage: wazo-auth-lock [OPTION...] COMMAND

  add KIND VALUE     locks a user, tenant, session (UUID), client (id) or address (prefix in CIDR notation), or replaces
                     the lock that is there
  remove KIND VALUE  removes the lock; no token comes back to life
  list               writes the locks of the tenant, one a line

  -c, --config-file FILE  the configuration (default: /etc/wazo-auth/config.yml)
      --tenant UUID       whose lock it is: it counts in this tenant and below (default: the master tenant)
      --reason TEXT       why
      --until TIME        when it ends by itself, such as 2026-12-24T18:00:00+01:00 (default: never)

examples:
  wazo-auth-lock --reason 'laptop stolen' add user 1ee1f4f1-c42f-4a34-8a5f-4a3fbcb0a2f1
  wazo-auth-lock --until 2026-12-24T18:00:00+01:00 add address 198.51.100.0/24
  wazo-auth-lock --tenant 54eb71f8-1f4b-4ae4-8730-638062fbe521 add client softphone
  wazo-auth-lock remove address 198.51.100.0/24

exit status: 0 when it is done, 1 when it failed (the reason is printed), 2 for a wrong command line
)";

struct Options {
  std::string file = "/etc/wazo-auth/config.yml", tenant, reason, until;
};

std::string tenant_of(Database& database, const Options& options) {
  UnitOfWork unit(database, Mode::read_only);
  if (options.tenant.empty()) return unit.run("context.master_tenant").text(0, "uuid");
  if (!unit.run("context.in_subtree", {options.tenant, options.tenant}).boolean(0, "inside"))
    throw std::runtime_error("no such tenant: " + options.tenant);
  return options.tenant;
}

void add(Database& database, const locks::Key& key, const Options& options) {
  const locks::Terms terms{options.reason, locks::end_of(options.until.empty() ? Json() : Json(options.until))};
  {
    UnitOfWork unit(database);
    locks::place(unit, key, terms);
    locks::end_sessions(unit, key);
    unit.commit();
  }
  // There may be no nginx that does it.
  for (bool more = true; more;) {
    UnitOfWork unit(database);
    more = locks::delete_sessions(unit);
    unit.commit();
  }
}

void remove(Database& database, const locks::Key& key) {
  UnitOfWork unit(database);
  locks::remove(unit, key);
  unit.commit();
}

void list(Database& database, const std::string& tenant) {
  const Rows rows = UnitOfWork(database, Mode::read_only).run("locks.list", {tenant});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string end = rows.is_null(i, "ends_at") ? "-" : rows.text(i, "ends_at");
    std::cout << rows.text(i, "kind") << '\t' << Json(rows.text(i, "value")).dump() << '\t' << end << '\t'
              << Json(rows.text(i, "reason")).dump() << '\n';
  }
}

int run(const Options& options, const std::vector<std::string>& words) {
  const bool one = words[0] == "add" || words[0] == "remove";
  if (!one && words[0] != "list") throw tool::UsageError("unknown command \"" + words[0] + "\"; see --help");
  if (words.size() != (one ? 3 : 1)) throw tool::UsageError("see --help");
  DatabaseOptions database_options;
  database_options.conninfo = tool::load_settings(options.file).db_uri;
  database_options.statement_timeout = std::chrono::seconds(60);
  if (database_options.conninfo.empty()) throw std::runtime_error(options.file + " has no db_uri");
  Database database(database_options);
  try {
    const std::string tenant = tenant_of(database, options);
    if (words[0] == "list")
      list(database, tenant);
    else if (words[0] == "add")
      add(database, locks::make_key(tenant, words[1], words[2]), options);
    else
      remove(database, locks::make_key(tenant, words[1], words[2]));
  } catch (const Problem& problem) {
    throw std::runtime_error(problem.body().text_or("message", "refused"));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::main("wazo-auth-lock", [&] {
    Options options;
    bool help = false;
    const auto words = tool::read_options(argc, argv,
                                          {{"config-file", 'c', nullptr, &options.file},
                                           {"tenant", 0, nullptr, &options.tenant},
                                           {"reason", 0, nullptr, &options.reason},
                                           {"until", 0, nullptr, &options.until},
                                           {"help", 'h', &help}});
    if (help || words.empty()) {
      std::cout << usage;
      return 0;
    }
    return run(options, words);
  });
}
