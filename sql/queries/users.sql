-- Users and their direct policies.

-- name: users.page
-- A row for each address of each user, in order; the answer's writer puts them together. An aggregate for each user
-- would cost more than all the rest.
{with}
SELECT (SELECT count(*) FROM auth_user u WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM auth_user u WHERE {where}) END AS filtered,
       page.*, e.uuid AS "emails.uuid", e.address AS "emails.address", e.main AS "emails.main",
       e.confirmed AS "emails.confirmed"
FROM (SELECT) AS always LEFT JOIN (
  SELECT row_number() OVER () AS place, * FROM (
    SELECT u.uuid, u.username, u.firstname, u.lastname, u.purpose, u.enabled, u.tenant_uuid, u.authentication_method
    FROM auth_user u WHERE {where} ORDER BY {sort} {ahead}
  ) AS ahead LIMIT {limit} OFFSET {offset}
) AS page ON true LEFT JOIN auth_email e ON e.user_uuid = page.uuid
ORDER BY page.place, e.main DESC, e.address

-- name: users.of_group
u.uuid IN (SELECT user_uuid FROM auth_user_group WHERE group_uuid = ?)

-- name: users.found
WITH found AS MATERIALIZED (
  SELECT uuid FROM auth_user WHERE username ILIKE ? OR firstname ILIKE ? OR lastname ILIKE ?
  UNION
  SELECT user_uuid FROM auth_email WHERE address ILIKE ?
)

-- name: users.among_found
u.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: users.matching
(u.firstname ILIKE ? OR u.lastname ILIKE ? OR u.username ILIKE ?
 OR EXISTS (SELECT 1 FROM auth_email e WHERE e.user_uuid = u.uuid AND e.address ILIKE ?))

-- name: users.by.uuid
u.uuid = ?

-- name: users.by.username
(lower(u.username) = lower(?) AND u.username = ?)

-- name: users.by.firstname
u.firstname = ?

-- name: users.by.lastname
u.lastname = ?

-- name: users.by.purpose
u.purpose = ?

-- name: users.by.email_address
u.uuid IN (SELECT user_uuid FROM auth_email WHERE lower(address) = lower(?) AND address = ?)

-- name: users.by.group_uuid
u.uuid IN (SELECT user_uuid FROM auth_user_group WHERE group_uuid = ?)

-- name: users.by.policy_uuid
u.uuid IN (SELECT user_uuid FROM auth_user_policy WHERE policy_uuid = ?)

-- name: users.by.policy_slug
u.uuid IN (SELECT a.user_uuid FROM auth_user_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
           WHERE lower(p.slug) = lower(?) AND p.slug = ?)

-- name: users.by.has_policy_uuid
u.uuid IN (SELECT user_uuid FROM auth_user_policy WHERE policy_uuid = ?
           UNION ALL
           SELECT m.user_uuid FROM auth_group_policy a JOIN auth_user_group m USING (group_uuid)
           WHERE a.policy_uuid = ?)

-- name: users.by.has_policy_slug
u.uuid IN (SELECT a.user_uuid FROM auth_user_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
           WHERE lower(p.slug) = lower(?) AND p.slug = ?
           UNION ALL
           SELECT m.user_uuid FROM auth_group_policy a JOIN auth_user_group m USING (group_uuid)
           JOIN auth_policy p ON p.uuid = a.policy_uuid
           WHERE lower(p.slug) = lower(?) AND p.slug = ?)

-- name: users.visible
-- A user whose tenant is $2 or below it.
SELECT u.uuid, u.username, u.firstname, u.lastname, u.purpose, u.enabled, u.tenant_uuid, u.authentication_method,
       (SELECT coalesce(json_agg(json_build_object('uuid', e.uuid, 'address', e.address, 'main', e.main,
                                                   'confirmed', e.confirmed) ORDER BY e.main DESC, e.address), '[]')
        FROM auth_email e WHERE e.user_uuid = u.uuid) AS emails
FROM auth_user u
WHERE u.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}

-- name: users.in_subtree
-- Whether the user $1 is of tenant $2 or one below it.
SELECT EXISTS (SELECT 1 FROM auth_user u WHERE u.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}) AS inside

-- name: users.exists
SELECT EXISTS (SELECT 1 FROM auth_user WHERE uuid = $1) AS exists

-- name: users.lock_logins
-- Whoever writes logins holds the lock of each: no index covers usernames and addresses together. There are 1,024
-- locks, so that a long list doesn't fill the server's table of locks.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.logins'), key)
FROM (SELECT DISTINCT hashtext(lower(login)) & 1023 AS key FROM unnest($1::text[]) AS login ORDER BY key) AS keys

-- name: users.first_taken_login
-- The first of $1 that a user other than $2 has.
SELECT login FROM unnest($1::text[]) WITH ORDINALITY AS wanted (login, place)
WHERE EXISTS (
  SELECT 1 FROM auth_user u WHERE lower(u.username) = lower(login) AND u.uuid IS DISTINCT FROM $2::text
  UNION ALL
  SELECT 1 FROM auth_email e WHERE lower(e.address) = lower(login) AND e.user_uuid IS DISTINCT FROM $2::text
)
ORDER BY place LIMIT 1

-- name: users.create
-- With an address $11 ($12: confirmed), if any, and as a member of the tenant's group of all users, if there is one.
WITH made AS (
  INSERT INTO auth_user (uuid, username, firstname, lastname, purpose, enabled, tenant_uuid, authentication_method,
                         password_hash, password_salt)
  VALUES ($1, $2, $3, $4, $5, $6::boolean, $7, $8, $9, decode($10, 'hex'))
  RETURNING uuid, username, firstname, lastname, purpose, enabled, tenant_uuid, authentication_method
), mailed AS (
  INSERT INTO auth_email (address, main, confirmed, user_uuid)
  SELECT $11::text, true, $12::boolean, uuid FROM made WHERE $11::text IS NOT NULL
  RETURNING uuid, address, main, confirmed
), joined AS (
  INSERT INTO auth_user_group (group_uuid, user_uuid)
  SELECT g.uuid, made.uuid FROM made JOIN auth_group g ON g.tenant_uuid = made.tenant_uuid
  WHERE g.name = 'wazo-all-users-tenant-' || $7::text
  RETURNING group_uuid
)
SELECT made.*, EXISTS (SELECT 1 FROM joined) AS joined,
       (SELECT coalesce(json_agg(json_build_object('uuid', uuid, 'address', address, 'main', main,
                                                   'confirmed', confirmed)), '[]') FROM mailed) AS emails
FROM made

-- name: users.join_all_users_group
INSERT INTO auth_user_group (group_uuid, user_uuid)
SELECT uuid, $1 FROM auth_group WHERE tenant_uuid = $2 AND name = 'wazo-all-users-tenant-' || $2::text
ON CONFLICT DO NOTHING

-- name: users.lock_in_tenant
SELECT uuid FROM auth_user WHERE uuid = $1 AND tenant_uuid = $2 FOR NO KEY UPDATE

-- name: users.lock_by_login
-- Who of tenant $2 has the username or, if nobody has, the address $1.
SELECT uuid FROM auth_user
WHERE tenant_uuid = $2 AND uuid IN (SELECT uuid FROM auth_user WHERE lower(username) = lower($1)
                                    UNION ALL
                                    SELECT user_uuid FROM auth_email WHERE lower(address) = lower($1))
ORDER BY lower(username) = lower($1) DESC NULLS LAST
LIMIT 1
FOR NO KEY UPDATE

-- name: users.has
-- The groups that user $1 was put into, and of the policies that were attached those that tenant $2 sees.
WITH RECURSIVE {tree.line($2)}
SELECT (SELECT coalesce(json_agg(json_build_object('uuid', g.uuid, 'slug', g.slug) ORDER BY g.slug), '[]')
        FROM auth_user_group m JOIN auth_group g ON g.uuid = m.group_uuid
        WHERE m.user_uuid = $1 AND NOT g.system_managed) AS groups,
       (SELECT coalesce(json_agg(json_build_object('uuid', p.uuid, 'slug', p.slug) ORDER BY p.slug), '[]')
        FROM auth_user_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
        WHERE a.user_uuid = $1
          AND (p.tenant_uuid = $2 OR p.config_managed
               OR (p.shared AND p.tenant_uuid IN (SELECT uuid FROM line)))) AS policies

-- name: users.update
UPDATE auth_user
SET username = $2, firstname = $3, lastname = $4, purpose = $5, enabled = $6::boolean, authentication_method = $7
WHERE uuid = $1

-- name: users.lock
SELECT uuid FROM auth_user WHERE uuid = $1 FOR UPDATE

-- name: users.delete
DELETE FROM auth_user WHERE uuid = $1

-- name: users.credentials
SELECT u.password_hash, u.password_salt, u.enabled,
       u.username IS NOT NULL
         OR EXISTS (SELECT 1 FROM auth_email e WHERE e.user_uuid = u.uuid AND e.main AND e.confirmed) AS has_login,
       CASE u.authentication_method WHEN 'default' THEN t.default_authentication_method
                                    ELSE u.authentication_method END AS method
FROM auth_user u JOIN auth_tenant t ON t.uuid = u.tenant_uuid
WHERE u.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}

-- name: users.set_password
-- Only over the password that was verified.
UPDATE auth_user SET password_hash = $2, password_salt = decode($3, 'hex') WHERE uuid = $1 AND password_hash = $4

-- name: users.replace_password
UPDATE auth_user SET password_hash = $2, password_salt = decode($3, 'hex') WHERE username = $1 RETURNING uuid

-- name: users.add_policy
INSERT INTO auth_user_policy (user_uuid, policy_uuid) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: users.remove_policy
DELETE FROM auth_user_policy WHERE user_uuid = $1 AND policy_uuid = $2
