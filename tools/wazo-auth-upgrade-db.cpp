// Brings a database's schema up to date: docs/spec/config.md section 3.2, docs/spec/schema.md section 4.
#include "progress.h"
#include "tool.h"
#include "wazoauth/store/migration.h"

namespace {

constexpr char usage[] = R"(usage: wazo-auth-upgrade-db [OPTION...]

Creates wazo-auth's schema in the database of db_uri, or adopts the one that is there, and adds what the nginx module
needs: schema wazo_auth, triggers and indexes with the prefix wazo_auth_.

  -c, --config-file FILE   the configuration (default: /etc/wazo-auth/config.yml)
      --print              only write the SQL that would run, for an administrator
      --detach             remove what the module added; events that nobody was told yet are lost

ALEMBIC_DB_URI in the environment wins over db_uri. The daemon's other options are accepted and have no effect:
-u USER, -d, -l LEVEL, --db-upgrade-on-startup, --listen-port PORT, --log-file FILE.

examples:
  wazo-auth-upgrade-db
  wazo-auth-upgrade-db --print > upgrade.sql
  wazo-auth-upgrade-db --detach

exit status: 0 when it is done, 1 when it failed (the reason is printed), 2 for a wrong command line
)";

void upgrade(const std::string& uri) {
  using namespace wazoauth;
  std::string text;
  {
    tool::Progress progress(uri);
    text = upgrade_database(uri, [&](const UpgradeStep& step) { progress.at(step); }).text();
  }
  if (!text.empty()) std::cerr << "wazo-auth-upgrade-db: " << text << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  using namespace wazoauth;
  return tool::main("wazo-auth-upgrade-db", [&] {
    std::string file = "/etc/wazo-auth/config.yml", ignored;
    bool print = false, detach_it = false, help = false, unused = false;
    tool::refuse_words(tool::read_options(argc, argv,
                                          {{"config-file", 'c', nullptr, &file},
                                           {"print", 0, &print},
                                           {"detach", 0, &detach_it},
                                           {"help", 'h', &help},
                                           {"user", 'u', nullptr, &ignored},
                                           {"debug", 'd', &unused},
                                           {"log-level", 'l', nullptr, &ignored},
                                           {"db-upgrade-on-startup", 0, &unused},
                                           {"listen-port", 0, nullptr, &ignored},
                                           {"log-file", 0, nullptr, &ignored}}));
    if (help) {
      std::cout << usage;
      return 0;
    }
    if (print && detach_it) throw tool::UsageError("--print and --detach exclude each other");
    const std::string uri = tool::environment("ALEMBIC_DB_URI", tool::load_settings(file).db_uri);
    if (print)
      std::cout << print_upgrade(uri);
    else if (detach_it)
      detach(uri);
    else
      upgrade(uri);
    return 0;
  });
}
