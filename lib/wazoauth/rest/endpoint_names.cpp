#include "wazoauth/rest/endpoint_names.h"

#include <algorithm>
#include <cctype>

namespace wazoauth {

namespace {

struct EndpointName {
  std::string_view path, name;
};

constexpr EndpointName endpoint_names[] = {
    {"/admin/users/<uuid>/emails", "adminuseremailupdate"},
    {"/api/api.yml", "swagger"},
    {"/backends", "backends"},
    {"/backends/ldap", "ldapconfig"},
    {"/backends/saml", "samlconfig"},
    {"/backends/saml/acs_url_template", "samlacsurltemplate"},
    {"/backends/saml/metadata", "samlmetadata"},
    {"/config", "configresource"},
    {"/emails/<uuid>/confirm", "emailconfirm"},
    {"/external/<text>/config", "externalconfig"},
    {"/external/<text>/users", "externalusers"},
    {"/groups", "groups"},
    {"/groups/<uuid>", "group"},
    {"/groups/<uuid>/policies", "grouppolicies"},
    {"/groups/<uuid>/policies/<text>", "grouppolicyslug"},
    {"/groups/<uuid>/policies/<uuid>", "grouppolicyuuid"},
    {"/groups/<uuid>/users", "groupusers"},
    {"/groups/<uuid>/users/<uuid>", "groupuser"},
    {"/idp", "idplist"},
    {"/idp/<text>/users", "idpusers"},
    {"/idp/<text>/users/<uuid>", "idpuser"},
    {"/policies", "policies"},
    {"/policies/<text>", "policyslug"},
    {"/policies/<text>/acl/<text>", "policyslugaccess"},
    {"/policies/<uuid>", "policyuuid"},
    {"/policies/<uuid>/acl/<text>", "policyuuidaccess"},
    {"/saml/acs", "samlacs"},
    {"/saml/logout", "samllogout"},
    {"/saml/sls", "samlsls"},
    {"/saml/sso", "samlsso"},
    {"/sessions", "sessions"},
    {"/sessions/<uuid>", "session"},
    {"/status", "statuslist"},
    {"/tenants", "tenants"},
    {"/tenants/<uuid>", "tenant"},
    {"/tenants/<uuid>/domains", "tenantdomains"},
    {"/tenants/<uuid>/parent/<uuid>", "tenantparent"},
    {"/token", "tokens"},
    {"/token/<uuid>", "token"},
    {"/token/<uuid>/scopes/check", "tokenscopescheck"},
    {"/tokens", "refreshtokens"},
    {"/users", "users"},
    {"/users/<uuid>", "user"},
    {"/users/<uuid>/emails", "useremailupdate"},
    {"/users/<uuid>/emails/<uuid>/confirm", "useremailconfirm"},
    {"/users/<uuid>/external", "external"},
    {"/users/<uuid>/external/google", "googleauth"},
    {"/users/<uuid>/external/microsoft", "microsoftauth"},
    {"/users/<uuid>/external/mobile", "mobileauth"},
    {"/users/<uuid>/external/mobile/sender_id", "mobileauthsenderid"},
    {"/users/<uuid>/groups", "usergroups"},
    {"/users/<uuid>/password", "userpassword"},
    {"/users/<uuid>/policies", "userpolicies"},
    {"/users/<uuid>/policies/<text>", "userpolicyslug"},
    {"/users/<uuid>/policies/<uuid>", "userpolicyuuid"},
    {"/users/<uuid>/sessions", "usersessions"},
    {"/users/<uuid>/sessions/<uuid>", "usersession"},
    {"/users/<uuid>/tokens", "userrefreshtokens"},
    {"/users/<uuid>/tokens/<text>", "userrefreshtoken"},
    {"/users/me/tokens", "usermerefreshtokens"},
    {"/users/me/tokens/<text>", "usermerefreshtoken"},
    {"/users/password/reset", "passwordreset"},
    {"/users/register", "register"},
};

std::string kinds_of_parameters(std::string_view path) {
  std::string text;
  while (!path.empty()) {
    const auto open = path.find('<'), close = path.find('>');
    if (open == std::string_view::npos) break;
    text.append(path.substr(0, open)).append(path.substr(open, close - open).ends_with("_uuid") ? "<uuid>" : "<text>");
    path.remove_prefix(close + 1);
  }
  return text.append(path);
}

// Of what the daemon doesn't have: the words of its path.
std::string made_up_name(std::string_view path) {
  std::string name;
  bool parameter = false;
  for (const char c : path) {
    if (c == '<' || c == '>') parameter = c == '<';
    if (!parameter && std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace

std::string endpoint_name(std::string_view path) {
  const std::string wanted = kinds_of_parameters(path);
  const auto found = std::find_if(std::begin(endpoint_names), std::end(endpoint_names),
                                  [&](const EndpointName& endpoint) { return endpoint.path == wanted; });
  return found != std::end(endpoint_names) ? std::string(found->name) : made_up_name(path);
}

}  // namespace wazoauth
