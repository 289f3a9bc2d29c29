-- Sessions. In practice each has one token.

-- name: sessions.page
-- Only those that have a token.
{with}
SELECT (SELECT count(*) FROM auth_session s WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM auth_session s WHERE {where}) END AS filtered,
       page.*,
       (SELECT t.auth_id FROM auth_token t
        WHERE t.session_uuid = page.uuid
          AND t.auth_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
        LIMIT 1) AS user_uuid
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (
    SELECT s.uuid, s.mobile, s.tenant_uuid
    FROM auth_session s WHERE {where} ORDER BY {sort}, s.uuid {ahead}
  ) AS ahead LIMIT {limit} OFFSET {offset}
) AS page ON true

-- name: sessions.with_token
EXISTS (SELECT 1 FROM auth_token t WHERE t.session_uuid = s.uuid) AND {locks.lives(s.uuid)}

-- name: sessions.of_user
s.uuid IN (SELECT session_uuid FROM auth_token WHERE auth_id = ?) AND {locks.lives(s.uuid)}

-- name: sessions.delete
-- One whose tenant is $2 or below it.
DELETE FROM auth_session s
WHERE s.uuid = $1 AND {tree.within(s.tenant_uuid, $2)}
RETURNING s.uuid, s.tenant_uuid, (SELECT t.auth_id FROM auth_token t WHERE t.session_uuid = s.uuid LIMIT 1) AS auth_id

-- name: sessions.delete_of_user
DELETE FROM auth_session s
WHERE s.uuid IN (SELECT t.session_uuid FROM auth_token t WHERE t.auth_id = $1)
RETURNING s.uuid, s.tenant_uuid, $1::text AS auth_id

-- name: sessions.tenant_of_user
-- Of a user whose tenant is $2 or below it.
SELECT u.tenant_uuid FROM auth_user u WHERE u.uuid = $1 AND {tree.within(u.tenant_uuid, $2)}
