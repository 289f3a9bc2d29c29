-- What a login needs.

-- name: logins.find
-- Enabled users only; a confirmed address comes before a username.
SELECT u.uuid, u.tenant_uuid, u.password_hash, u.password_salt
FROM (
  SELECT user_uuid AS uuid, 1 AS place FROM auth_email WHERE confirmed AND lower(address) = lower($1::text)
  UNION ALL
  SELECT uuid, 2 FROM auth_user WHERE lower(username) = lower($1::text)
) AS found JOIN auth_user u USING (uuid)
WHERE u.enabled
ORDER BY found.place LIMIT 1

-- name: logins.lock_user
-- Logins of one user, and changes to that user, come one after the other: limits hold, and no token is made for a
-- password that has just been changed. The tenant is locked before the user, as whoever deletes a tenant does. First of
-- all comes what a new token needs anyway (sql/schema/0013_wazo_auth_locks.sql): who makes a lock has no row by then.
WITH locks AS MATERIALIZED (
  SELECT pg_advisory_xact_lock_shared(hashtext('wazo_auth.locks')) AS held
), tenant AS MATERIALIZED (
  SELECT uuid, default_authentication_method FROM auth_tenant
  WHERE EXISTS (SELECT 1 FROM locks) AND uuid = (SELECT tenant_uuid FROM auth_user WHERE uuid = $1)
  FOR KEY SHARE
)
SELECT u.tenant_uuid, u.purpose, u.password_hash,
       CASE u.authentication_method WHEN 'default' THEN t.default_authentication_method
                                    ELSE u.authentication_method END AS method
FROM tenant t JOIN auth_user u ON t.uuid = u.tenant_uuid
WHERE u.uuid = $1 AND u.enabled
FOR NO KEY UPDATE OF u

-- name: logins.first_policy(name)
-- The policy of this {name}, the master tenant's if it has one.
first_policy AS (
  SELECT p.uuid FROM auth_policy p JOIN auth_tenant t ON t.uuid = p.tenant_uuid
  WHERE p.name = {name}::text
  ORDER BY (t.uuid = t.parent_uuid) DESC, p.uuid LIMIT 1
)

-- name: logins.granted(user, name)
-- The policies whose accesses a login gives the {user}, in the documented order: the first is the one of this {name}.
{logins.first_policy({name})}, granted AS (
  SELECT 1 AS part, uuid AS policy_uuid, NULL::text AS group_uuid FROM first_policy
  UNION ALL
  SELECT 2, a.policy_uuid, a.group_uuid FROM auth_user_group m JOIN auth_group_policy a USING (group_uuid)
  WHERE m.user_uuid = {user}
  UNION ALL
  SELECT 3, policy_uuid, NULL FROM auth_user_policy WHERE user_uuid = {user}
)

-- name: logins.profile
-- Of user $1: live sessions at $3, if they are limited ($4), and the access list, which begins with the policy of name $2.
-- The order within each part is fixed, so that equal lists are equal texts. A service that logs in for each request has
-- thousands of sessions, and no limit: they aren't counted.
WITH {logins.granted($1, $2)}
SELECT CASE WHEN $4::boolean THEN (
         SELECT count(DISTINCT session_uuid) FROM auth_token
         WHERE auth_id = $1 AND (expire_t IS NULL OR expire_t = 0 OR expire_t >= $3::bigint)
           AND {locks.lives(auth_token.session_uuid)}) ELSE 0 END AS sessions,
       EXISTS (SELECT 1 FROM first_policy) AS first_policy_exists,
       EXISTS (SELECT 1 FROM auth_user_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
               WHERE a.user_uuid = $1 AND p.slug = 'wazo_default_admin_policy'
               UNION ALL
               SELECT 1 FROM auth_user_group m JOIN auth_group g ON g.uuid = m.group_uuid
               WHERE m.user_uuid = $1 AND g.slug = 'wazo_default_admin_group') AS admin,
       ARRAY (SELECT x.access FROM granted
              JOIN auth_policy_access pa ON pa.policy_uuid = granted.policy_uuid
              JOIN auth_access x ON x.id = pa.access_id
              ORDER BY granted.part, granted.policy_uuid, x.id) AS acl

-- name: logins.create
WITH session AS (
  INSERT INTO auth_session (mobile, tenant_uuid) VALUES ($1::boolean, $2) RETURNING uuid
)
INSERT INTO auth_token (auth_id, pbx_user_uuid, xivo_uuid, issued_t, expire_t, metadata, session_uuid, user_agent,
                        remote_addr, acl, refresh_token_uuid)
SELECT $3, $4, $5, $6::integer, $7::integer, $8, session.uuid, $9, $10, $11::text[], $12 FROM session
RETURNING uuid, session_uuid
