-- Tokens.

-- name: tokens.load
SELECT t.auth_id, t.pbx_user_uuid, t.xivo_uuid, t.issued_t, t.expire_t, t.metadata, t.session_uuid, t.user_agent,
       t.remote_addr, t.acl, t.refresh_token_uuid, s.tenant_uuid AS session_tenant_uuid
FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid
WHERE t.uuid = $1 AND {locks.lives(t.session_uuid)}

-- name: tokens.tenant_visible
-- One row when the user $1 exists: is the tenant $2 its own or below it?
SELECT {tree.within($2, u.tenant_uuid)} AS visible FROM auth_user u WHERE u.uuid = $1

-- name: tokens.delete
-- The session ends with its last token; one row then. The session is locked first, as whoever deletes a session does.
WITH held AS MATERIALIZED (
  SELECT s.uuid FROM auth_session s
  WHERE s.uuid IN (SELECT session_uuid FROM auth_token WHERE uuid = $1)
  FOR UPDATE
), gone AS (
  DELETE FROM auth_token t USING held WHERE t.uuid = $1 AND t.session_uuid = held.uuid
  RETURNING t.uuid, t.auth_id, t.session_uuid
), ended AS (
  DELETE FROM auth_session s USING gone
  WHERE s.uuid = gone.session_uuid
    AND NOT EXISTS (SELECT 1 FROM auth_token t WHERE t.session_uuid = s.uuid AND t.uuid <> gone.uuid)
  RETURNING s.uuid AS session_uuid, s.tenant_uuid
)
SELECT ended.session_uuid, ended.tenant_uuid, gone.auth_id FROM ended JOIN gone USING (session_uuid)

-- name: tokens.give_up
-- The same for somebody who gives up just this token. Its session ends afterwards, with its last token
-- (tokens.end_session), so that the trigger still sees it: see sql/schema/0012_wazo_auth_given_up.sql.
WITH held AS MATERIALIZED (
  SELECT s.uuid FROM auth_session s
  WHERE s.uuid IN (SELECT session_uuid FROM auth_token WHERE uuid = $1)
  FOR UPDATE
)
DELETE FROM auth_token t USING held WHERE t.uuid = $1 AND t.session_uuid = held.uuid
RETURNING t.session_uuid, t.auth_id

-- name: tokens.end_session
DELETE FROM auth_session s
WHERE s.uuid = $1 AND NOT EXISTS (SELECT 1 FROM auth_token t WHERE t.session_uuid = s.uuid)
RETURNING s.tenant_uuid

-- name: tokens.successors
-- Live tokens of user $1 that the same client got since its token $2: since $3 (Unix seconds), of the same refresh token $4
-- (NULL: it had none) or session $5, or with the same user agent $6 unless both have refresh tokens. $7: now. Those of the
-- same refresh token or session first, and those that live longest.
SELECT t.uuid, t.auth_id, t.session_uuid, t.acl FROM auth_token t
WHERE t.auth_id = $1 AND t.uuid <> $2
  AND coalesce(t.issued_t, 0) >= $3::bigint
  AND (coalesce(t.expire_t, 0) = 0 OR t.expire_t > $7::bigint)
  AND (t.refresh_token_uuid = $4 OR t.session_uuid = $5
       OR (coalesce(t.user_agent, '') = $6 AND (t.refresh_token_uuid IS NULL OR $4 IS NULL)))
  AND {locks.lives(t.session_uuid)}
ORDER BY (coalesce(t.refresh_token_uuid = $4, false) OR t.session_uuid = $5) DESC,
         nullif(t.expire_t, 0) DESC NULLS FIRST, t.uuid
LIMIT 20

-- name: tokens.purge
-- Tokens that expired before $1, oldest first, $2 at most, with the sessions that nothing else keeps. Rows that another
-- cleaner holds are left to it.
WITH expired AS (
  SELECT uuid, auth_id, metadata, session_uuid, expire_t FROM auth_token
  WHERE expire_t < $1::bigint AND expire_t <> 0
  ORDER BY expire_t LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED
), dead AS (
  DELETE FROM auth_token t USING expired WHERE t.uuid = expired.uuid
), ended AS (
  DELETE FROM auth_session s
  WHERE s.uuid IN (SELECT session_uuid FROM expired)
    AND NOT EXISTS (SELECT 1 FROM auth_token t
                    WHERE t.session_uuid = s.uuid AND t.uuid NOT IN (SELECT uuid FROM expired))
  RETURNING s.uuid
)
SELECT expired.auth_id, expired.metadata, ended.uuid AS session_uuid
FROM expired LEFT JOIN ended ON ended.uuid = expired.session_uuid
ORDER BY expired.expire_t

-- name: tokens.expiring
-- Tokens that live at $1 and expire before $2, in pages of $5: those after the expiry $3 and the token $4.
SELECT uuid, auth_id, metadata, session_uuid, expire_t FROM auth_token
WHERE expire_t >= $1::bigint AND expire_t < $2::bigint AND expire_t <> 0 AND (expire_t, uuid) > ($3::bigint, $4::text)
  AND {locks.lives(auth_token.session_uuid)}
ORDER BY expire_t, uuid LIMIT $5::bigint
