#include "wazoauth/about/operation_ids.h"

namespace wazoauth {

namespace {

struct OperationId {
  std::string_view method, path, id;
};

// The path as the document shows it, with <> for its parameters.
constexpr OperationId operation_ids[] = {
    {"DELETE", "/backends/ldap", "deleteLDAPBackendConfig"},
    {"GET", "/backends/ldap", "getLDAPBackendConfig"},
    {"PUT", "/backends/ldap", "updateLDAPBackendConfig"},
    {"DELETE", "/backends/saml", "deleteSAMLBackendConfig"},
    {"GET", "/backends/saml", "getSAMLBackendConfig"},
    {"POST", "/backends/saml", "createSAMLBackendConfig"},
    {"PUT", "/backends/saml", "updateSAMLBackendConfig"},
    {"GET", "/config", "getConfig"},
    {"PATCH", "/config", "patchConfig"},
    {"GET", "/groups", "listGroups"},
    {"POST", "/groups", "createGroups"},
    {"DELETE", "/groups/<group_uuid>", "delete_group"},
    {"PUT", "/groups/<group_uuid>", "editGroups"},
    {"DELETE", "/groups/<group_uuid>/policies/<policy_uuid_or_slug>", "removeGroupPolicy"},
    {"PUT", "/groups/<group_uuid>/policies/<policy_uuid_or_slug>", "addGroupPolicy"},
    {"DELETE", "/groups/<group_uuid>/users/<user_uuid>", "removeUserGroup"},
    {"PUT", "/groups/<group_uuid>/users/<user_uuid>", "addUserGroup"},
    {"PUT", "/idp/<idp_type>/users", "updateUsersIDP"},
    {"DELETE", "/idp/<idp_type>/users/<user_uuid>", "removeIDPUser"},
    {"PUT", "/idp/<idp_type>/users/<user_uuid>", "addUserIDP"},
    {"GET", "/policies", "listPolicies"},
    {"POST", "/policies", "createPolicies"},
    {"DELETE", "/policies/<policy_uuid_or_slug>", "delete_policy"},
    {"PUT", "/policies/<policy_uuid_or_slug>", "editPolicies"},
    {"DELETE", "/policies/<policy_uuid_or_slug>/acl/<access>", "deletePolicyAccess"},
    {"PUT", "/policies/<policy_uuid_or_slug>/acl/<access>", "addPolicyAccess"},
    {"POST", "/saml/acs", "processACS"},
    {"GET", "/saml/logout", "samlLogout"},
    {"GET", "/saml/sls", "samlLogoutResponse"},
    {"POST", "/saml/sso", "samlSSO"},
    {"GET", "/sessions", "listSessions"},
    {"DELETE", "/sessions/<session_uuid>", "delete_session"},
    {"POST", "/tenants", "createTenant"},
    {"DELETE", "/tenants/<tenant_uuid>", "delete_tenant"},
    {"PUT", "/tenants/<tenant_uuid>", "updateTenant"},
    {"PUT", "/tenants/<tenant_uuid>/parent/<parent_tenant_uuid>", "updateTenantParent"},
    {"POST", "/token", "createToken"},
    {"GET", "/tokens", "listRefreshTokens"},
    {"POST", "/users", "createUser"},
    {"DELETE", "/users/<user_uuid>", "delete_user"},
    {"PUT", "/users/<user_uuid>", "updateUser"},
    {"DELETE", "/users/<user_uuid>/policies/<policy_uuid_or_slug>", "removeUserPolicy"},
    {"PUT", "/users/<user_uuid>/policies/<policy_uuid_or_slug>", "addUserPolicy"},
    {"DELETE", "/users/<user_uuid>/sessions/<session_uuid>", "user_delete_session"},
    {"GET", "/users/<user_uuid>/tokens", "listUserRefreshTokens"},
    {"DELETE", "/users/<user_uuid>/tokens/<client_id>", "deleteRefreshTokens"},
    {"GET", "/users/password/reset", "reset_password"},
    {"POST", "/users/password/reset", "reset_password_change"},
    {"POST", "/users/register", "registerUser"},
};

}  // namespace

std::string_view operation_id(std::string_view method, std::string_view path) {
  for (const OperationId& each : operation_ids) {
    if (each.method == method && each.path == path) return each.id;
  }
  return {};
}

}  // namespace wazoauth
