-- Authorizations at external services: asked for, waited for, used; and the renewal of what they gave.
--
-- Who holds a row does so for some seconds. Where the end of that lies minutes ahead the clock was set back meanwhile,
-- and nobody holds it.

-- name: authorizations.ask
INSERT INTO wazo_auth.pending_authorization
       (state, type, user_uuid, tenant_uuid, scope, redirect_uri, verifier, websocket, holder, held_until, expires_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, now() + interval '15 seconds', now() + $10::bigint * interval '1 second')

-- name: authorizations.make_room
-- A user may ask again and again: each costs a connection, and only so many are kept.
DELETE FROM wazo_auth.pending_authorization
WHERE state IN (SELECT state FROM wazo_auth.pending_authorization WHERE user_uuid = $1 AND type = $2 AND told IS NULL
                ORDER BY expires_at DESC OFFSET $3::int)

-- name: authorizations.take
-- At most one caller gets it, for $3 seconds: what he makes of $2 ends it. $4: a browser told it, not a broker.
UPDATE wazo_auth.pending_authorization
SET told = $2, holder = NULL, held_until = now() + $3::bigint * interval '1 second', expires_at = now() + interval '10 minutes'
WHERE state = $1 AND told IS NULL AND expires_at > now() AND (websocket IS NULL) = $4::boolean
RETURNING state, type, user_uuid, tenant_uuid, scope, redirect_uri, verifier, told

-- name: authorizations.resume
-- Those of the types $2 whose taker didn't come to an end.
UPDATE wazo_auth.pending_authorization SET held_until = now() + $1::bigint * interval '1 second'
WHERE state IN (SELECT state FROM wazo_auth.pending_authorization
                WHERE told IS NOT NULL AND type = ANY ($2::text[]) AND expires_at > now()
                      AND (held_until < now() OR held_until > now() + interval '10 minutes')
                LIMIT 500
                FOR UPDATE SKIP LOCKED)
RETURNING state, type, user_uuid, tenant_uuid, scope, redirect_uri, verifier, told

-- name: authorizations.end
DELETE FROM wazo_auth.pending_authorization WHERE state = $1

-- name: authorizations.hold
-- Of its rows only those that the process really waits for ($2): others take over the rest.
UPDATE wazo_auth.pending_authorization SET held_until = now() + interval '15 seconds'
WHERE holder = $1 AND state = ANY ($2::text[]) AND expires_at > now()
RETURNING state

-- name: authorizations.take_over
-- Those of the types $2 whose process has ended, or said that it will.
UPDATE wazo_auth.pending_authorization SET holder = $1, held_until = now() + interval '15 seconds'
WHERE state IN (SELECT state FROM wazo_auth.pending_authorization
                WHERE websocket IS NOT NULL AND told IS NULL AND type = ANY ($2::text[]) AND expires_at > now()
                      AND (holder IS NULL OR held_until < now() OR held_until > now() + interval '10 minutes')
                LIMIT 500
                FOR UPDATE SKIP LOCKED)
RETURNING state, websocket

-- name: authorizations.let_go
UPDATE wazo_auth.pending_authorization SET holder = NULL WHERE holder = $1

-- name: authorizations.without_holder
SELECT state FROM wazo_auth.pending_authorization
WHERE state = ANY ($1::text[]) AND holder IS NULL AND told IS NULL AND expires_at > now()

-- name: authorizations.prune
WITH renewals AS (DELETE FROM wazo_auth.renewal WHERE until < now() - interval '1 minute')
DELETE FROM wazo_auth.pending_authorization WHERE expires_at < now()

-- name: authorizations.user
-- Of a user who may be gone by now.
SELECT tenant_uuid FROM auth_user WHERE uuid = $1

-- name: renewals.begin
-- No row: somebody else does it, or has just failed.
INSERT INTO wazo_auth.renewal AS r (user_uuid, type, until) VALUES ($1, $2, now() + $3::bigint * interval '1 second')
ON CONFLICT (user_uuid, type) DO UPDATE SET until = excluded.until, outcome = NULL
WHERE r.until < now() OR r.until > now() + interval '10 minutes'
RETURNING user_uuid

-- name: renewals.outcome
SELECT outcome FROM wazo_auth.renewal WHERE user_uuid = $1 AND type = $2
      AND until >= now() AND until <= now() + interval '10 minutes'

-- name: renewals.end
DELETE FROM wazo_auth.renewal WHERE user_uuid = $1 AND type = $2

-- name: renewals.fail
UPDATE wazo_auth.renewal SET outcome = $3, until = now() + $4::bigint * interval '1 second'
WHERE user_uuid = $1 AND type = $2

-- name: renewals.store
-- Unless the user has got other data ($4) meanwhile.
UPDATE auth_user_external_auth SET data = $3
WHERE user_uuid = $1 AND data = $4
      AND external_auth_type_uuid = (SELECT uuid FROM auth_external_auth_type WHERE name = $2::text)
