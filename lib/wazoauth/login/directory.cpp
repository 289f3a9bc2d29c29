#include "wazoauth/login/directory.h"

#include "wazoauth/base/log.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/ldap/directories.h"
#include "wazoauth/ldap/login.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

namespace {

// Waits for the directory, on a thread that has nothing else to do.
struct DirectoryLookup {
  ldap::Configuration directory;
  Deadline deadline;
  std::unique_ptr<ldap::Directories::Place> place;
};

Rows configured(UnitOfWork& unit, const Login& login) {
  if (login.body.has("domain_name")) {
    const std::string domain(login.body.get("domain_name").text());
    Rows rows = unit.run("ldap.of_domain", {domain});
    if (rows.empty()) refuse(login, "unknown domain " + Json(domain).dump());
    return rows;
  }
  const std::string tenant(login.body.get("tenant_id").text());
  Rows rows = unit.run("ldap.of_tenant", {tenant});
  if (rows.empty()) throw problems::unknown("tenant", tenant);
  return rows;
}

ldap::Configuration directory_of(UnitOfWork& unit, const Login& login) {
  const Rows rows = configured(unit, login);
  const std::string tenant = rows.text(0, "tenant_uuid");
  if (rows.is_null(0, "host")) refuse(login, "tenant " + tenant + " has no directory");
  return directory_in(rows);
}

void note_answer(DirectoryLookup& lookup) {
  if (lookup.place->answered(true))
    log::info("The directory of tenant " + lookup.directory.tenant_uuid + " answers again");
}

// For who reads logs: the client has done nothing wrong. conf/fail2ban knows these words.
std::string undecided(const std::exception& e) {
  return std::string("the directory can't tell: ") + e.what();
}

// The address that the directory gives. Trouble with it says nothing about the password: such a 401 must not slow down
// the next try.
std::string ask(Context& context, const Login& login, DirectoryLookup& lookup) {
  const Settings& settings = context.settings;
  if (lookup.deadline.passed()) throw gate::overloaded();  // all the time went by before a thread was free
  try {
    std::string email = ldap::log_in(lookup.directory, login.credentials->login, login.credentials->password,
                                     settings.ldap, settings.outgoing, lookup.deadline);
    note_answer(lookup);
    return email;
  } catch (const ldap::Refused& e) {
    note_answer(lookup);
    refuse(login, e.what());
  } catch (const ldap::Away& e) {
    // One warning for all the logins that find it away.
    const log::Level level = lookup.place->answered(false) ? log::Level::warning : log::Level::info;
    context.password_unjudged = true;
    refuse(login, undecided(e), level);
  } catch (const ldap::Failure& e) {
    note_answer(lookup);
    context.password_unjudged = true;
    refuse(login, undecided(e), log::Level::warning);
  }
}

void find_user(UnitOfWork& unit, Login& login, const std::string& email, const std::string& tenant) {
  const auto user = user_of_directory(unit, email, tenant);
  if (!user) refuse(login, no_user_of_directory(email, tenant));
  login.identity.user_uuid = *user;
  login.identity.method = "ldap";
  login.identity.login = email;
}

}  // namespace

ldap::Configuration directory_in(const Rows& rows) {
  const auto text = [&](std::string_view column) { return rows.text(0, column); };
  return {.tenant_uuid = text("tenant_uuid"),
          .server = {.host = text("host"),
                     .port = static_cast<int>(rows.integer(0, "port")),
                     .version = rows.integer(0, "protocol_version") == 2 ? 2 : 3,
                     .security = ldap::security_named(text("protocol_security"))},
          .bind_dn = text("bind_dn"),
          .bind_password = text("bind_password"),
          .user_base_dn = text("user_base_dn"),
          .user_login_attribute = text("user_login_attribute"),
          .user_email_attribute = text("user_email_attribute"),
          .search_filters = text("search_filters")};
}

std::optional<std::string> user_of_directory(UnitOfWork& unit, const std::string& email, const std::string& tenant) {
  const Rows rows = unit.run("logins.find", {email});
  if (rows.empty() || rows.text(0, "tenant_uuid") != tenant) return std::nullopt;
  return rows.text(0, "uuid");
}

std::string no_user_of_directory(const std::string& email, const std::string& tenant) {
  return "no enabled user of tenant " + tenant + " has the confirmed address or the name " + Json(email).dump();
}

Step LdapProvider::identify(Context& context, const LoginPtr& login, Finish finish) const {
  ldap::Configuration directory = directory_of(context.db(), *login);
  auto place = directories_.enter(directory.tenant_uuid);
  if (!place) throw gate::overloaded();
  auto lookup = std::make_shared<DirectoryLookup>(
      DirectoryLookup{std::move(directory), Deadline(context.settings.ldap.limits.login), std::move(place)});
  return Step::then(Lane::directory, [login, lookup, finish](Context& c) mutable {
    const std::shared_ptr<DirectoryLookup> mine = std::move(lookup);  // it ends with this step
    // Not `proved_password`: that makes up for wrong ones, and a directory of one's own says yes to any.
    const std::string email = ask(c, *login, *mine);
    return Step::then(Lane::database, [login, email, tenant = mine->directory.tenant_uuid, finish](Context& last) {
      find_user(last.db(), *login, email, tenant);
      return finish(last, login);
    });
  });
}

}  // namespace wazoauth
