// Role, database and extension: docs/spec/schema.md section 4.6.
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tool.h"
#include "wazoauth/store/direct_connection.h"
#include "wazoauth/store/unit_of_work.h"

namespace {

using namespace wazoauth;

constexpr char usage[] = R"(usage: wazo-auth-init-db [OPTION...]

Creates the role and the database of wazo-auth where they are missing, and the extension that its schema needs.

  --user USER           become this user of the system first (as root)
  --pg_db_uri URI       where roles and databases are made (default: postgresql:///postgres)
  --auth_db_uri URI     the new database, for its extension (default: postgresql:///asterisk)
  --db NAME             of the database (default: asterisk)
  --owner NAME          of the role (default: asterisk)
  --password PASSWORD   of a role that is made now (default: WAZO_AUTH_INIT_DB_PASSWORD of the environment, which other
                        users don't see, or proformatique)

examples:
  wazo-auth-init-db --user postgres --password secret
  wazo-auth-init-db --pg_db_uri postgresql://postgres@db1/postgres --auth_db_uri postgresql://postgres@db1/asterisk

exit status: 0 when it is done, 1 when it failed (the reason is printed), 2 for a wrong command line
)";

void become(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): there is one thread
  if (!entry) throw std::runtime_error("no user \"" + name + "\" on this system");
  if (setgid(entry->pw_gid) != 0 || initgroups(name.c_str(), entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0)
    throw std::runtime_error("can't become \"" + name + "\": only root can");
}

DirectConnection connect(const std::string& uri) {
  for (int tries = 1;; ++tries) {
    try {
      return DirectConnection(uri);
    } catch (const Unavailable&) {
      if (tries == 40) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return tool::main("wazo-auth-init-db", [&] {
    std::string user, server = "postgresql:///postgres", target = "postgresql:///asterisk";
    std::string database = "asterisk", owner = "asterisk";
    std::string password = tool::environment("WAZO_AUTH_INIT_DB_PASSWORD", "proformatique");
    bool help = false;
    tool::refuse_words(tool::read_options(argc, argv,
                                          {{"user", 0, nullptr, &user},
                                           {"pg_db_uri", 0, nullptr, &server},
                                           {"auth_db_uri", 0, nullptr, &target},
                                           {"db", 0, nullptr, &database},
                                           {"owner", 0, nullptr, &owner},
                                           {"password", 0, nullptr, &password},
                                           {"help", 'h', &help}}));
    if (help) {
      std::cout << usage;
      return 0;
    }
    if (!user.empty()) become(user);
    DirectConnection postgres = connect(server);
    const std::string role = postgres.identifier(owner);
    if (postgres.value("SELECT 1 FROM pg_roles WHERE rolname = $1", {owner}).empty())
      postgres.run("CREATE ROLE " + role + " WITH LOGIN PASSWORD " + postgres.literal(password));
    if (postgres.value("SELECT 1 FROM pg_database WHERE datname = $1", {database}).empty())
      postgres.run("CREATE DATABASE " + postgres.identifier(database) + " WITH OWNER " + role + " ENCODING 'UTF8'");
    connect(target).run("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"");
    return 0;
  });
}
