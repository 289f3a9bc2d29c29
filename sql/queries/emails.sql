-- The e-mail addresses of a user.

-- name: emails.lock_owner
-- Two lists for one user come one after the other. No row: there is no such user in $2 or below it.
SELECT u.uuid FROM auth_user u
WHERE u.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}
FOR NO KEY UPDATE OF u

-- name: emails.drop_others
-- All but $2. An address that is written otherwise is another one.
DELETE FROM auth_email WHERE user_uuid = $1 AND address <> ALL ($2::text[])

-- name: emails.keep
-- Those of $2, a list of {address, main, confirmed}, that the user has already; null for confirmed leaves it.
UPDATE auth_email e SET main = wanted.main, confirmed = coalesce(wanted.confirmed, e.confirmed)
FROM jsonb_to_recordset($2::jsonb) AS wanted (address text, main boolean, confirmed boolean)
WHERE e.user_uuid = $1 AND e.address = wanted.address

-- name: emails.add
INSERT INTO auth_email (address, main, confirmed, user_uuid)
SELECT wanted.address, wanted.main, coalesce(wanted.confirmed, false), $1::text
FROM jsonb_to_recordset($2::jsonb) AS wanted (address text, main boolean, confirmed boolean)
WHERE NOT EXISTS (SELECT 1 FROM auth_email e WHERE e.user_uuid = $1 AND e.address = wanted.address)
RETURNING address

-- name: emails.of_user
SELECT uuid, address, main, confirmed FROM auth_email WHERE user_uuid = $1
