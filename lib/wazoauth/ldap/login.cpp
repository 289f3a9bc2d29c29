#include "wazoauth/ldap/login.h"

#include "wazoauth/base/text.h"
#include "wazoauth/ldap/escape.h"

namespace wazoauth::ldap {

namespace {

struct Person {
  std::string dn, email;
};

std::string email_in(const std::string& value) {
  if (!is_utf8(value) || value.find('\0') != std::string::npos) return "";
  return lower_case(value);
}

// For a person who reads what a trial did.
const char* found_in_words(Found::What what) {
  switch (what) {
    case Found::What::nothing:
      return "nothing";
    case Found::What::several:
      return "several";
    case Found::What::referral:
      return "referral";
    case Found::What::entry:
      break;
  }
  return "one";
}

std::string filter_of(const Configuration& c, const std::string& login) {
  const std::string pattern = c.search_filters.empty() ? "{user_login_attribute}={username}" : c.search_filters;
  const auto filter = fill_filter(pattern, {{"username", login},
                                            {"user_login_attribute", c.user_login_attribute},
                                            {"user_email_attribute", c.user_email_attribute}});
  if (!filter)
    throw Refused("search_filters of tenant " + c.tenant_uuid + " has an unknown placeholder or a lone brace");
  return *filter;
}

void bind_service(Connection& connection, const Configuration& c, Trial* trial) {
  if (trial) trial->begin("bind").detail("dn", c.bind_dn);
  if (const auto why = connection.bind(c.bind_dn, c.bind_password))
    throw Refused("the directory of tenant " + c.tenant_uuid + " doesn't take bind_dn and bind_password: " + *why);
}

// The directory's entry for that login.
Person search(Connection& connection, const Configuration& c, const std::string& login, Trial* trial) {
  if (trial) trial->begin("search").detail("base", c.user_base_dn);
  const std::string filter = filter_of(c, login);
  if (trial) trial->detail("filter", filter);
  const Found found = connection.search(c.user_base_dn, Scope::subtree, filter, c.user_email_attribute);
  if (trial) trial->detail("found", found_in_words(found.what));
  switch (found.what) {
    case Found::What::nothing:
      throw Refused("the directory doesn't know this login");
    case Found::What::several:
      throw Refused("the directory knows several with this login");
    case Found::What::referral:
      throw Refused("the directory doesn't know this login, but refers to another one");
    case Found::What::entry:
      break;
  }
  if (trial) trial->detail("dn", found.dn);
  return {found.dn, email_in(found.value)};
}

// Where users are said to be, when nobody says which one.
void look_for_base(Connection& connection, const Configuration& c, Trial& trial) {
  trial.begin("search").detail("base", c.user_base_dn);
  const Found found = connection.search(c.user_base_dn, Scope::base, "(objectClass=*)", c.user_email_attribute);
  trial.detail("found", found_in_words(found.what));
  if (found.what != Found::What::entry) throw Refused("the directory shows nothing at user_base_dn");
}

void bind_user(Connection& connection, const std::string& dn, const std::string& password, Trial* trial) {
  if (trial) trial->begin("bind_user").detail("dn", dn);
  if (const auto why = connection.bind(dn, password)) throw Refused("the directory says: " + *why);
}

std::string own_email(Connection& connection, const Configuration& c, const std::string& dn) {
  const Found found = connection.search(dn, Scope::base, "(objectClass=*)", c.user_email_attribute);
  return found.what == Found::What::entry ? email_in(found.value) : "";
}

// Only a trial may do without a login or a password.
std::string go(const Configuration& c, const std::string& login, const std::string& password,
               const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline, Trial* trial) {
  Connection connection(c.server, settings.limits, rules, settings.ca_file, deadline, trial);
  const bool by_search = !c.bind_dn.empty() && !c.bind_password.empty();
  if (by_search) bind_service(connection, c, trial);
  if (trial && login.empty()) {
    if (by_search) look_for_base(connection, c, *trial);
    return "";
  }
  Person person = by_search ? search(connection, c, login, trial)
                            : Person{c.user_login_attribute + "=" + escape_dn(login) + "," + c.user_base_dn, ""};
  const bool with_password = !trial || !password.empty();
  if (with_password) bind_user(connection, person.dn, password, trial);
  if (!with_password && !by_search) return "";
  if (trial) trial->begin("email").detail("attribute", c.user_email_attribute);
  if (person.email.empty()) person.email = own_email(connection, c, person.dn);
  if (person.email.empty()) throw Refused("the directory has no e-mail address for this login");
  return person.email;
}

}  // namespace

std::string log_in(const Configuration& c, const std::string& login, const std::string& password,
                   const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline) {
  return go(c, login, password, settings, rules, deadline, nullptr);
}

std::string try_log_in(const Configuration& c, const std::string& login, const std::string& password,
                       const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline,
                       Trial& trial) {
  return go(c, login, password, settings, rules, deadline, &trial);
}

}  // namespace wazoauth::ldap
