-- Mails that wait to be delivered (wazo_auth.outbox), and the addresses that they ask about.

-- name: mails.queue
-- Pointless after $1, when the token in it has expired.
INSERT INTO wazo_auth.outbox (target, expires_t, headers, body)
VALUES ('mail', $1::bigint, jsonb_build_object('from', $2::text, 'to', $3::text),
        jsonb_build_object('message', $4::text))

-- name: mails.waiting
-- Some, but for those that have just been tried.
SELECT id, headers ->> 'from' AS sender, headers ->> 'to' AS recipient, body ->> 'message' AS message
FROM wazo_auth.outbox
WHERE target = 'mail' AND id <> ALL ($1::bigint[])
ORDER BY id
LIMIT 20

-- name: mails.drop_expired
DELETE FROM wazo_auth.outbox WHERE target = 'mail' AND expires_t < extract(epoch FROM now())::bigint RETURNING id

-- name: mails.address
SELECT u.username, e.address, e.confirmed
FROM auth_email e JOIN auth_user u ON u.uuid = e.user_uuid
WHERE e.uuid = $1 AND e.user_uuid = $2

-- name: mails.visible
-- Is the address one of a user in the tenant $2 or below it?
SELECT EXISTS (SELECT 1 FROM auth_email e JOIN auth_user u ON u.uuid = e.user_uuid
               WHERE e.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}) AS visible

-- name: mails.confirm
UPDATE auth_email SET confirmed = true WHERE uuid = $1

-- name: mails.confirmation
-- Of address $1, and whether the token $2 of a link has been used.
SELECT e.confirmed,
       EXISTS (SELECT 1 FROM auth_token t WHERE t.uuid = $2::text AND t.metadata::jsonb ? 'used') AS link_used
FROM auth_email e WHERE e.uuid = $1

-- name: mails.use_link
-- The token lives until it expires: who comes back by this very link is told that the address is confirmed. No row:
-- it has been used.
UPDATE auth_token SET metadata = '{"used": true}' WHERE uuid = $1 AND NOT coalesce(metadata::jsonb ? 'used', false)

-- name: mails.use_token
-- No row: somebody else has used it.
DELETE FROM auth_session WHERE uuid = (SELECT session_uuid FROM auth_token WHERE uuid = $1)
