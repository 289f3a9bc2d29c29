-- Sessions. In practice each has one token.

-- name: sessions.page
-- Of a tenant $1 ($2: and of its subtree); only those that have a token.
WITH RECURSIVE scope AS (
  SELECT $1::text AS uuid
  UNION
  SELECT t.uuid FROM auth_tenant t JOIN scope s ON t.parent_uuid = s.uuid WHERE $2::boolean
), matched AS (
  SELECT s.uuid, s.mobile, s.tenant_uuid
  FROM auth_session s
  WHERE s.tenant_uuid IN (SELECT uuid FROM scope)
    AND EXISTS (SELECT 1 FROM auth_token t WHERE t.session_uuid = s.uuid)
), page AS (
  SELECT *, row_number() OVER (ORDER BY {order} {direction}, uuid) AS place
  FROM matched ORDER BY place LIMIT $3::bigint OFFSET $4::bigint
)
SELECT (SELECT count(*) FROM matched) AS total, (SELECT count(*) FROM matched) AS filtered,
       page.uuid, page.mobile, page.tenant_uuid,
       (SELECT t.auth_id FROM auth_token t WHERE t.session_uuid = page.uuid LIMIT 1) AS auth_id
FROM (SELECT) AS always LEFT JOIN page ON true
ORDER BY page.place

-- name: sessions.page_of_user
WITH matched AS (
  SELECT DISTINCT s.uuid, s.mobile, s.tenant_uuid
  FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid
  WHERE t.auth_id = $1
), page AS (
  SELECT *, row_number() OVER (ORDER BY {order} {direction}, uuid) AS place
  FROM matched ORDER BY place LIMIT $2::bigint OFFSET $3::bigint
)
SELECT (SELECT count(*) FROM matched) AS total, (SELECT count(*) FROM matched) AS filtered,
       page.uuid, page.mobile, page.tenant_uuid, $1::text AS auth_id
FROM (SELECT) AS always LEFT JOIN page ON true
ORDER BY page.place

-- name: sessions.delete
-- One whose tenant is $2 or below it.
WITH RECURSIVE up AS (
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN auth_session s ON s.tenant_uuid = t.uuid WHERE s.uuid = $1
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN up ON t.uuid = up.parent_uuid
)
DELETE FROM auth_session s
WHERE s.uuid = $1 AND EXISTS (SELECT 1 FROM up WHERE up.uuid = $2)
RETURNING s.uuid, s.tenant_uuid, (SELECT t.auth_id FROM auth_token t WHERE t.session_uuid = s.uuid LIMIT 1) AS auth_id

-- name: sessions.delete_of_user
DELETE FROM auth_session s
WHERE s.uuid IN (SELECT t.session_uuid FROM auth_token t WHERE t.auth_id = $1)
RETURNING s.uuid, s.tenant_uuid, $1::text AS auth_id

-- name: sessions.tenant_of_user
-- Of a user whose tenant is $2 or below it.
WITH RECURSIVE up AS (
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN auth_user u ON u.tenant_uuid = t.uuid WHERE u.uuid = $1
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN up ON t.uuid = up.parent_uuid
)
SELECT tenant_uuid FROM auth_user WHERE uuid = $1 AND EXISTS (SELECT 1 FROM up WHERE up.uuid = $2)
