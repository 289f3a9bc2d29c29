#include "wazoauth/login/saml_session.h"

#include "wazoauth/config/settings.h"

namespace wazoauth {

// An identity provider speaks for the tenant whose domain it was asked for and those below, not for all.
Step SamlProvider::identify(Context& context, const LoginPtr& login, Finish finish) const {
  UnitOfWork& unit = context.db();
  const std::string session_id(login->body.get("saml_session_id").text());
  const Rows session = unit.run("saml.use", {session_id, context.settings.saml.session_lifetime});
  if (session.empty()) refuse(*login, "unknown, unfinished or used SAML session");
  Identity& identity = login->identity;
  identity.login = session.text(0, "login");
  const Rows user = unit.run("logins.find", {identity.login});
  if (user.empty()) refuse(*login, "unknown login");
  identity.user_uuid = user.text(0, "uuid");
  const auto tenant = session.optional_text(0, "tenant_uuid");
  if (!tenant || !unit.run("users.in_subtree", {identity.user_uuid, *tenant}).boolean(0, "inside"))
    refuse(*login, "the user isn't in the tenant of the SAML domain");
  identity.method = "saml";
  identity.saml_request_id = session.text(0, "request_id");
  return finish(context, login);
}

}  // namespace wazoauth
