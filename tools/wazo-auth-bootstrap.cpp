// The first user: docs/spec/config.md section 3.5.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tool.h"
#include "wazoauth/base/text.h"
#include "wazoauth/config/yaml.h"
#include "wazoauth/user/bootstrap.h"

namespace {

using namespace wazoauth;

constexpr char usage[] = R"(usage: wazo-auth-bootstrap [OPTION...] COMMAND

  complete       makes sure that wazo-auth-cli can log in: writes the credentials of a user, whom it creates or gives a
                 new password, or creates the user of the credentials that are there
  initial-user   creates a user with all rights
      --uri URI            the database (default: db_uri of the configuration)
      --username NAME      (default: wazo-auth-cli)
      --password PASSWORD  (default: a random one)
      --purpose PURPOSE    user, internal or external_api (default: internal)
      --policy-slug SLUG   (default: wazo_default_master_user_policy)
                 or, each, WAZO_AUTH_BOOTSTRAP_URI, _USERNAME, _PASSWORD, _PURPOSE, _POLICY_SLUG in the environment
  setup          does nothing any more

  --config FILE         the configuration (default: /etc/wazo-auth/config.yml)
  --credentials FOLDER  where `complete` keeps 050-credentials.yml (default: /root/.config/wazo-auth-cli)

examples:
  wazo-auth-bootstrap complete
  wazo-auth-bootstrap initial-user --username admin --purpose user

exit status: 0 when it is done, 1 when it failed (the reason is printed), 2 for a wrong command line
)";

constexpr char cli_user[] = "wazo-auth-cli";
constexpr char default_policy[] = "wazo_default_master_user_policy";

std::string random_password() {
  return random_text(28, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

Database open_database(const std::string& uri) {
  DatabaseOptions options;
  options.conninfo = uri;
  options.statement_timeout = std::chrono::seconds(60);
  return Database(options);
}

std::string configured_uri(const std::string& file) {
  std::string uri = tool::load_settings(file).db_uri;
  if (uri.empty()) throw std::runtime_error(file + " has no db_uri");
  return uri;
}

std::pair<std::string, std::string> read_credentials(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw std::runtime_error("can't read " + file);
  const Json auth = parse_yaml(text.str(), file).value.get("auth");
  const std::string username = auth.text_or("username", ""), password = auth.text_or("password", "");
  if (username.empty() || password.empty())
    throw std::runtime_error(file + ": auth.username and auth.password are missing");
  return {username, password};
}

void give_to_wazo_auth(int fd) {
  const passwd* user = getpwnam("wazo-auth");      // NOLINT(concurrency-mt-unsafe): there is one thread
  const group* its_group = getgrnam("wazo-auth");  // NOLINT(concurrency-mt-unsafe)
  if (user && its_group && fchown(fd, user->pw_uid, its_group->gr_gid) != 0)
    throw std::runtime_error(std::string("fchown: ") + std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

// Beside the file whose place it will take: all or nothing, half a password would lock the administrator out.
std::string write_credentials(const std::string& folder, const std::string& file, const std::string& password) {
  std::filesystem::create_directories(folder);
  std::string fresh = file + ".new";
  const std::string text =
      "auth:\n  username: " + std::string(cli_user) + "\n  password: " + password + "\n  backend: wazo_user\n";
  unlink(fresh.c_str());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("can't write " + fresh);
  give_to_wazo_auth(fd);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  if (close(fd) != 0 || !written) throw std::runtime_error("can't write " + fresh);
  return fresh;
}

int complete(const std::string& config, const std::string& folder) {
  const std::string file = folder + "/050-credentials.yml";
  Database database = open_database(configured_uri(config));
  if (std::filesystem::exists(file)) {
    const auto [username, password] = read_credentials(file);
    create_initial_user(database, username, password, "internal", default_policy);
    return 0;
  }
  UnitOfWork(database, Mode::read_only).execute("SELECT 1");  // nothing is left behind when the database is away
  // Written before the password is changed: one that nobody could read would be lost.
  const std::string password = random_password(), fresh = write_credentials(folder, file, password);
  try {
    if (!reset_password(database, cli_user, password))
      create_initial_user(database, cli_user, password, "internal", default_policy);
  } catch (...) {
    unlink(fresh.c_str());
    throw;
  }
  if (rename(fresh.c_str(), file.c_str()) != 0) throw std::runtime_error("can't write " + file);
  return 0;
}

int initial_user(int argc, char** argv, const std::string& config) {
  std::string uri = tool::environment("WAZO_AUTH_BOOTSTRAP_URI", "");
  std::string username = tool::environment("WAZO_AUTH_BOOTSTRAP_USERNAME", cli_user);
  std::string password = tool::environment("WAZO_AUTH_BOOTSTRAP_PASSWORD", "");
  std::string purpose = tool::environment("WAZO_AUTH_BOOTSTRAP_PURPOSE", "internal");
  std::string slug = tool::environment("WAZO_AUTH_BOOTSTRAP_POLICY_SLUG", default_policy);
  optind = 1;
  tool::refuse_words(tool::read_options(argc, argv,
                                        {{"uri", 0, nullptr, &uri},
                                         {"username", 0, nullptr, &username},
                                         {"password", 0, nullptr, &password},
                                         {"purpose", 0, nullptr, &purpose},
                                         {"policy-slug", 0, nullptr, &slug}}));
  Database database = open_database(uri.empty() ? configured_uri(config) : uri);
  create_initial_user(database, username, password.empty() ? random_password() : password, purpose, slug);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::main("wazo-auth-bootstrap", [&] {
    std::string config = "/etc/wazo-auth/config.yml", folder = "/root/.config/wazo-auth-cli";
    bool help = false;
    const std::vector<std::string> words = tool::read_options(
        argc, argv, {{"config", 0, nullptr, &config}, {"credentials", 0, nullptr, &folder}, {"help", 'h', &help}});
    if (help || words.empty()) {
      std::cout << usage;
      return 0;
    }
    if (words[0] == "initial-user") {
      const int at = argc - static_cast<int>(words.size());
      return initial_user(argc - at, argv + at, config);
    }
    if (words.size() > 1) throw tool::UsageError("unexpected \"" + words[1] + "\"");
    if (words[0] == "complete") return complete(config, folder);
    if (words[0] == "setup") {
      std::cout << "This step is no longer needed.\n";
      return 0;
    }
    throw tool::UsageError("unknown command \"" + words[0] + "\"; see --help");
  });
}
