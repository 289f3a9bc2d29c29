-- Refresh tokens. Their tenant is that of their user.

-- name: refresh_tokens.find
SELECT user_uuid, login, metadata FROM auth_refresh_token
WHERE uuid = $1 AND client_id = $2 AND user_uuid IS NOT NULL

-- name: refresh_tokens.obtain
-- The row of this client and user: made now, or as it was. xmax tells which.
INSERT INTO auth_refresh_token AS r (client_id, user_uuid, backend, login, user_agent, remote_addr, mobile)
VALUES ($1, $2, $3, $4, $5, $6, $7::boolean)
ON CONFLICT (client_id, user_uuid) DO UPDATE SET mobile = r.mobile
RETURNING uuid, xmax = 0 AS created

-- name: refresh_tokens.purge
-- A new one for client $2 is about to come from a mobile: the old one of that client goes, and all other mobile ones of
-- user $1, each with its sessions. One row for each session, or one without when there was none; that client's first.
WITH doomed AS (
  SELECT uuid, client_id, mobile, created_at FROM auth_refresh_token
  WHERE user_uuid = $1 AND (client_id = $2 OR mobile)
), ended AS (
  DELETE FROM auth_session s
  WHERE s.uuid IN (SELECT session_uuid FROM auth_token WHERE refresh_token_uuid IN (SELECT uuid FROM doomed))
  RETURNING s.uuid, (SELECT refresh_token_uuid FROM auth_token t
                     WHERE t.session_uuid = s.uuid AND t.refresh_token_uuid IN (SELECT uuid FROM doomed) LIMIT 1) AS owner
), gone AS (
  DELETE FROM auth_refresh_token WHERE uuid IN (SELECT uuid FROM doomed) RETURNING uuid
)
SELECT doomed.uuid, doomed.client_id, doomed.mobile, doomed.client_id IS NOT DISTINCT FROM $2 AS same_client,
       ended.uuid AS session_uuid
FROM doomed JOIN gone USING (uuid) LEFT JOIN ended ON ended.owner = doomed.uuid
ORDER BY same_client DESC, doomed.created_at, doomed.uuid

-- name: refresh_tokens.page
{with}
SELECT (SELECT count(*) FROM auth_refresh_token r JOIN auth_user u ON u.uuid = r.user_uuid WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (
         SELECT count(*) FROM auth_refresh_token r JOIN auth_user u ON u.uuid = r.user_uuid WHERE {where}
       ) END AS filtered,
       page.user_uuid AS uuid, page.client_id, page.mobile, page.user_uuid, page.tenant_uuid, page.metadata,
       to_char(page.created_at, CASE WHEN page.created_at = date_trunc('second', page.created_at)
                                     THEN 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM'
                                     ELSE 'YYYY-MM-DD"T"HH24:MI:SS.USTZH:TZM' END) AS created_at
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (
    SELECT r.client_id, r.created_at, r.mobile, r.user_uuid, r.metadata, u.tenant_uuid
    FROM auth_refresh_token r JOIN auth_user u ON u.uuid = r.user_uuid
    WHERE {where} ORDER BY {sort}, r.uuid {ahead}
  ) AS ahead LIMIT {limit} OFFSET {offset}
) AS page ON true

-- name: refresh_tokens.of_user
r.user_uuid = ?

-- name: refresh_tokens.found
WITH found AS MATERIALIZED (SELECT uuid FROM auth_refresh_token WHERE client_id ILIKE ?)

-- name: refresh_tokens.among_found
r.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: refresh_tokens.matching
r.client_id ILIKE ?

-- name: refresh_tokens.by.client_id
r.client_id = ?

-- name: refresh_tokens.by.mobile
r.mobile = ?::boolean

-- name: refresh_tokens.by.created_at
r.created_at = ?::timestamptz

-- name: refresh_tokens.delete
DELETE FROM auth_refresh_token WHERE user_uuid = $1 AND client_id = $2 RETURNING mobile
