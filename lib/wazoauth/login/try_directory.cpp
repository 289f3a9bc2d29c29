#include "wazoauth/login/try_directory.h"

#include "wazoauth/base/certificate.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/base/text.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/ldap/directories.h"
#include "wazoauth/ldap/presented.h"
#include "wazoauth/ldap/routes.h"
#include "wazoauth/login/directory.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/trial_answer.h"

namespace wazoauth {

namespace {

struct Attempt {
  ldap::Configuration directory;
  std::string login, password;  // "" for none
  std::unique_ptr<ldap::Directories::Place> place;
  Trial trial;
};
using AttemptPtr = std::shared_ptr<Attempt>;

Schema try_body() {
  return {{object_of(std::make_shared<const Schema>(ldap_config_body()), "config"),
           {.name = "username", .min_length = 1, .max_length = 256},
           {.name = "password", .min_length = 1}},
          {},
          "LdapTry"};
}

Problem bad_field(const std::string& text) {
  return Problem::with_reason(400, "Invalid value supplied for field: " + text);
}

// What `PUT` would make of it, and of what is saved. A saved password goes nowhere else here, either.
ldap::Configuration directory_of(const Json& config, const std::string& tenant,
                                 const std::optional<ldap::Configuration>& saved) {
  check_ldap_host(config);
  const auto text = [&](const char* name, const std::string& kept) {
    return config.has(name) ? config.text_or(name, "") : kept;
  };
  ldap::Configuration directory = saved.value_or(ldap::Configuration{});
  directory.tenant_uuid = tenant;
  directory.server = {.host = config.text_or("host", ""),
                      .port = static_cast<int>(config.get("port").integer()),
                      .version = static_cast<int>(config.get("protocol_version").integer()),
                      .security = config.has("protocol_security")
                                      ? ldap::security_named(config.text_or("protocol_security", ""))
                                      : directory.server.security};
  directory.user_base_dn = config.text_or("user_base_dn", "");
  directory.user_login_attribute = config.text_or("user_login_attribute", "");
  directory.user_email_attribute = config.text_or("user_email_attribute", "");
  directory.search_filters = text("search_filters", directory.search_filters);
  directory.bind_dn = text("bind_dn", directory.bind_dn);
  const bool kept = saved && !saved->bind_password.empty() && !config.has("bind_password");
  const bool same = saved && saved->server.host == directory.server.host &&
                    saved->server.port == directory.server.port && saved->server.security == directory.server.security;
  if (kept && !same && !directory.bind_dn.empty()) throw bad_field("bind_password");
  directory.bind_password = kept && same ? saved->bind_password : config.text_or("bind_password", "");
  return directory;
}

ldap::Configuration wanted_directory(Context& context, const Json& body) {
  const Rows rows = context.db().run("ldap.of_tenant", {context.tenant()});
  std::optional<ldap::Configuration> saved;
  if (!rows.empty() && !rows.is_null(0, "host")) saved = directory_in(rows);
  if (body.has("config")) return directory_of(body.get("config"), context.tenant(), saved);
  if (!saved) throw bad_field("config. The tenant has no directory yet");
  return *saved;
}

// What a directory is asked for, and where it is.
std::string contents_of(const ldap::Configuration& c) {
  return Json::array({c.server.host, c.server.port, static_cast<int>(c.server.security), c.bind_dn, c.bind_password,
                      c.user_base_dn})
      .dump();
}

// Whoever tries chooses the attribute, and a saved password, which nobody is shown, may open the directory: of what it
// says comes out what a login is about, and nothing else.
bool may_be_shown(const std::string& value, const Attempt& attempt) {
  return value.find('@') != std::string::npos || value == lower_case(attempt.login);
}

std::string no_user(const Attempt& attempt, const std::string& value) {
  const std::string& tenant = attempt.directory.tenant_uuid;
  if (may_be_shown(value, attempt)) return no_user_of_directory(value, tenant);
  return "no enabled user of tenant " + tenant + " has this value, which is no address and not shown, as a name";
}

// As find_user() and whoever makes the token do it.
void match(Context& context, Attempt& attempt, const std::string& email) {
  attempt.trial.begin("match");
  const std::string& tenant = attempt.directory.tenant_uuid;
  const auto user = user_of_directory(context.db(), email, tenant);
  if (!user) return attempt.trial.fail(no_user(attempt, email));
  const Rows rows = context.db().run("ldap.person", {*user});
  const std::string method = rows.empty() ? "" : rows.text(0, "method");
  attempt.trial.detail("user_uuid", *user)
      .detail("username", rows.empty() ? Json() : Json(rows.optional_text(0, "username")))
      .detail("authentication_method", method);
  if (method != "ldap") attempt.trial.fail("authentication method of the user: " + method);
}

// libldap tells nothing of certificates that it refuses.
void show_certificates(const Settings& settings, Attempt& attempt, const Deadline& deadline) {
  if (!attempt.trial.has("tls")) return;
  const auto shown = ldap::presented_by(attempt.directory.server, settings.ldap.limits, settings.outgoing, deadline);
  attempt.trial.detail_of("tls", "certificates", described_certificates(shown, unix_seconds()));
}

std::string go(const Settings& settings, Attempt& attempt) {
  const Deadline deadline(settings.ldap.limits.login);
  std::string email;
  try {
    email = ldap::try_log_in(attempt.directory, attempt.login, attempt.password, settings.ldap, settings.outgoing,
                             deadline, attempt.trial);
    if (!email.empty() && may_be_shown(email, attempt)) attempt.trial.detail("address", email);
    attempt.trial.end();
  } catch (const ldap::Refused& e) {
    attempt.trial.fail(e.what());
  } catch (const ldap::Failure& e) {
    attempt.trial.fail(e.what());
  }
  show_certificates(settings, attempt, deadline);
  return email;
}

Step answer(Attempt& attempt) {
  attempt.trial.end();
  return Response::json(attempt.trial.json());
}

Step try_directory(Context& context, ldap::Directories& directories) {
  const Json body = context.valid_body();
  auto attempt = std::make_shared<Attempt>();
  attempt->directory = wanted_directory(context, body);
  attempt->login = body.text_or("username", "");
  attempt->password = body.text_or("password", "");
  if (attempt->login.empty() && !attempt->password.empty()) throw bad_field("username");
  auto next = [attempt, &directories](Context& c) -> Step {
    attempt->place = directories.enter(attempt->directory.tenant_uuid);
    if (!attempt->place) throw gate::overloaded();
    const std::string email = go(c.settings, *attempt);
    attempt->place.reset();
    if (email.empty()) return answer(*attempt);
    return Step::then(Lane::database, [attempt, email](Context& last) {
      match(last, *attempt, email);
      return answer(*attempt);
    });
  };
  // Of what is saved, too: it may have been saved a moment ago.
  return take_turn(context, "ldap " + attempt->directory.tenant_uuid, contents_of(attempt->directory), Lane::directory,
                   next);
}

}  // namespace

void add_ldap_try_route(Router& router, ldap::Directories& directories) {
  RouteFamily family(router, {.plugin = "ldap_config", .tenancy = Tenancy::scoped});
  family.add({.method = "POST",
              .path = "/backends/ldap/try",
              .access = "auth.backends.ldap.try",
              .handler = [&directories](Context& context) { return try_directory(context, directories); },
              .mode = Mode::read_only,
              .summary = "Try the directory of a tenant, as it is saved or as `config` would make it, step by step: as "
                         "far as the place where users are, or with a username and a password through a whole login",
              .body = takes(try_body(), Report::field),
              .answer = trial_answer(),
              .failures = {failures::throttled}});
}

}  // namespace wazoauth
