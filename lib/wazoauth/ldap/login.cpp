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

std::string filter_of(const Configuration& c, const std::string& login) {
  const std::string pattern = c.search_filters.empty() ? "{user_login_attribute}={username}" : c.search_filters;
  const auto filter = fill_filter(pattern, {{"username", login},
                                            {"user_login_attribute", c.user_login_attribute},
                                            {"user_email_attribute", c.user_email_attribute}});
  if (!filter)
    throw Refused("search_filters of tenant " + c.tenant_uuid + " has an unknown placeholder or a lone brace");
  return *filter;
}

// The directory's entry for that login.
Person search(Connection& connection, const Configuration& c, const std::string& login) {
  if (const auto why = connection.bind(c.bind_dn, c.bind_password))
    throw Refused("the directory of tenant " + c.tenant_uuid + " doesn't take bind_dn and bind_password: " + *why);
  const Found found = connection.search(c.user_base_dn, Scope::subtree, filter_of(c, login), c.user_email_attribute);
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
  return {found.dn, email_in(found.value)};
}

std::string own_email(Connection& connection, const Configuration& c, const std::string& dn) {
  const Found found = connection.search(dn, Scope::base, "(objectClass=*)", c.user_email_attribute);
  return found.what == Found::What::entry ? email_in(found.value) : "";
}

}  // namespace

std::string log_in(const Configuration& c, const std::string& login, const std::string& password,
                   const LdapSettings& settings, const OutgoingRules& rules, const Deadline& deadline) {
  Connection connection(c.server, settings.limits, rules, settings.ca_file, deadline);
  const bool by_search = !c.bind_dn.empty() && !c.bind_password.empty();
  Person person = by_search ? search(connection, c, login)
                            : Person{c.user_login_attribute + "=" + escape_dn(login) + "," + c.user_base_dn, ""};
  if (const auto why = connection.bind(person.dn, password)) throw Refused("the directory says: " + *why);
  if (person.email.empty()) person.email = own_email(connection, c, person.dn);
  if (person.email.empty()) throw Refused("the directory has no e-mail address for this login");
  return person.email;
}

}  // namespace wazoauth::ldap
