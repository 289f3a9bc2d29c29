-- The directory of a tenant, and who logs in with it.

-- name: ldap.get
-- One row, of nulls when there is none.
SELECT c.tenant_uuid, c.host, c.port, c.protocol_version, c.protocol_security, c.bind_dn, c.user_base_dn,
       c.user_login_attribute, c.user_email_attribute, c.search_filters
FROM (SELECT) AS always LEFT JOIN auth_ldap_config c ON c.tenant_uuid = $1

-- name: ldap.put
-- Those named in $12 are given; the others of them keep what is stored. But a stored password goes to no other server,
-- and not there in another way: it is forgotten, and no row is there when the request has a bind_dn to use it with.
INSERT INTO auth_ldap_config AS c (tenant_uuid, host, port, protocol_version, user_base_dn, user_login_attribute,
                                   user_email_attribute, protocol_security, bind_dn, bind_password, search_filters)
VALUES ($1, $2, $3::integer, $4::smallint, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_uuid) DO UPDATE SET
  host = excluded.host, port = excluded.port, protocol_version = excluded.protocol_version,
  user_base_dn = excluded.user_base_dn, user_login_attribute = excluded.user_login_attribute,
  user_email_attribute = excluded.user_email_attribute,
  protocol_security = CASE WHEN 'protocol_security' = ANY ($12::text[]) THEN excluded.protocol_security
                           ELSE c.protocol_security END,
  bind_dn = CASE WHEN 'bind_dn' = ANY ($12::text[]) THEN excluded.bind_dn ELSE c.bind_dn END,
  bind_password = CASE
    WHEN 'bind_password' <> ALL ($12::text[]) AND (c.host, c.port) = (excluded.host, excluded.port)
     AND ('protocol_security' <> ALL ($12::text[])
          OR c.protocol_security IS NOT DISTINCT FROM excluded.protocol_security) THEN c.bind_password
    ELSE excluded.bind_password END,
  search_filters = CASE WHEN 'search_filters' = ANY ($12::text[]) THEN excluded.search_filters
                        ELSE c.search_filters END
WHERE 'bind_password' = ANY ($12::text[]) OR coalesce(c.bind_password, '') = '' OR coalesce(excluded.bind_dn, '') = ''
   OR ((c.host, c.port) = (excluded.host, excluded.port)
       AND ('protocol_security' <> ALL ($12::text[])
            OR c.protocol_security IS NOT DISTINCT FROM excluded.protocol_security))

-- name: ldap.delete
DELETE FROM auth_ldap_config WHERE tenant_uuid = $1

-- name: ldap.of_domain
SELECT d.tenant_uuid, c.host, c.port, c.protocol_version, c.protocol_security, c.bind_dn, c.bind_password,
       c.user_base_dn, c.user_login_attribute, c.user_email_attribute, c.search_filters
FROM auth_tenant_domain d LEFT JOIN auth_ldap_config c ON c.tenant_uuid = d.tenant_uuid
WHERE d.name = $1 AND $1::text <> ''

-- name: ldap.of_tenant
-- $1: uuid or slug.
SELECT t.uuid AS tenant_uuid, c.host, c.port, c.protocol_version, c.protocol_security, c.bind_dn, c.bind_password,
       c.user_base_dn, c.user_login_attribute, c.user_email_attribute, c.search_filters
FROM auth_tenant t LEFT JOIN auth_ldap_config c ON c.tenant_uuid = t.uuid
WHERE t.uuid = $1::text OR t.slug = $1::text
ORDER BY t.uuid = $1::text DESC LIMIT 1

-- name: ldap.person
-- A user that a directory's address leads to.
SELECT u.username, CASE u.authentication_method WHEN 'default' THEN t.default_authentication_method
                                                ELSE u.authentication_method END AS method
FROM auth_user u JOIN auth_tenant t ON t.uuid = u.tenant_uuid
WHERE u.uuid = $1
