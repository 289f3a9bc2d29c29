-- Passwords that are chosen anew by a mailed link.

-- name: resets.find
-- By the username $1, by the address $2, or by either as $3 in any case, whatever the user's tenant; the mail's address.
SELECT u.uuid, u.username,
       CASE u.authentication_method WHEN 'default' THEN t.default_authentication_method
                                    ELSE u.authentication_method END AS method,
       coalesce($2::text, (SELECT e.address FROM auth_email e WHERE e.user_uuid = u.uuid AND e.confirmed
                           ORDER BY e.main DESC, e.address LIMIT 1)) AS address
FROM (
  SELECT uuid FROM auth_user WHERE lower(username) = lower($1::text) AND username = $1
  UNION ALL
  SELECT user_uuid FROM auth_email WHERE lower(address) = lower($2::text) AND address = $2
  UNION ALL
  SELECT uuid FROM auth_user WHERE lower(username) = lower($3::text)
  UNION ALL
  SELECT user_uuid FROM auth_email WHERE lower(address) = lower($3::text)
) AS found JOIN auth_user u USING (uuid) JOIN auth_tenant t ON t.uuid = u.tenant_uuid
LIMIT 1

-- name: resets.recent
-- Tokens of mails for access $1 made after $2, up to $3: a clock that was set back leaves some in the future.
SELECT count(*) AS count FROM auth_token
WHERE auth_id = 'wazo-auth' AND acl = ARRAY[$1::text] AND issued_t > $2::bigint AND issued_t <= $3::bigint

-- name: resets.user
SELECT u.username IS NOT NULL
         OR EXISTS (SELECT 1 FROM auth_email e WHERE e.user_uuid = u.uuid AND e.main AND e.confirmed) AS has_login,
       CASE u.authentication_method WHEN 'default' THEN t.default_authentication_method
                                    ELSE u.authentication_method END AS method
FROM auth_user u JOIN auth_tenant t ON t.uuid = u.tenant_uuid
WHERE u.uuid = $1

-- name: resets.set_password
UPDATE auth_user SET password_hash = $2, password_salt = decode($3, 'hex') WHERE uuid = $1

-- name: resets.clear_password
UPDATE auth_user SET password_hash = NULL, password_salt = NULL WHERE uuid = $1
