-- External services: their types, the tenants' configurations, what users have there.

-- name: external.enable
-- At a start: $1 are served, others aren't. $2 are plug-ins of the Python daemon beside us: as it has them.
WITH enabled AS (
  INSERT INTO auth_external_auth_type (name, enabled) SELECT name, true FROM unnest($1::text[]) AS name
  ON CONFLICT (name) DO UPDATE SET enabled = true WHERE auth_external_auth_type.enabled IS DISTINCT FROM true
)
UPDATE auth_external_auth_type SET enabled = false WHERE name <> ALL ($1::text[] || $2::text[]) AND enabled IS DISTINCT FROM false

-- name: external.make_type
INSERT INTO auth_external_auth_type (name) VALUES ($1::text) ON CONFLICT (name) DO NOTHING

-- name: external.type
SELECT uuid, enabled FROM auth_external_auth_type WHERE name = $1::text

-- name: external.types_of_user
-- The enabled types, and what the user $1 has of each; NULL has none. Data of the types $6 only.
-- {direction}: ASC | DESC
WITH types AS (
  SELECT uuid, name FROM auth_external_auth_type WHERE enabled
), matched AS (
  SELECT uuid, name FROM types WHERE ($2::text IS NULL OR name ILIKE $2) AND ($3::text IS NULL OR name = $3)
), page AS (
  SELECT *, row_number() OVER (ORDER BY name {direction}) AS place FROM matched
  ORDER BY place LIMIT $4::bigint OFFSET $5::bigint
)
SELECT (SELECT count(*) FROM types) AS total, (SELECT count(*) FROM matched) AS filtered,
       page.uuid, page.name AS type, CASE WHEN page.name = ANY ($6::text[]) THEN d.data END AS data,
       d.user_uuid IS NOT NULL AS enabled
FROM (SELECT) AS always LEFT JOIN page ON true
LEFT JOIN auth_user_external_auth d ON d.external_auth_type_uuid = page.uuid AND d.user_uuid = $1::text
ORDER BY page.place

-- name: external.users
-- Those of the tenant $2, or of it and all below ($3), that have data of the enabled type $1.
WITH RECURSIVE {tree.subtree($2, $3::boolean)}, users AS (
  SELECT u.uuid FROM auth_external_auth_type t
  JOIN auth_user_external_auth d ON d.external_auth_type_uuid = t.uuid
  JOIN auth_user u ON u.uuid = d.user_uuid
  WHERE t.name = $1::text AND t.enabled AND u.tenant_uuid IN (SELECT uuid FROM subtree)
)
SELECT (SELECT count(*) FROM users) AS total, (SELECT count(*) FROM users) AS filtered, page.uuid
FROM (SELECT) AS always
LEFT JOIN (SELECT uuid FROM users ORDER BY uuid LIMIT $4::bigint OFFSET $5::bigint) AS page ON true
ORDER BY page.uuid

-- name: external.config
SELECT c.data FROM auth_external_auth_config c JOIN auth_external_auth_type t ON t.uuid = c.type_uuid
WHERE t.name = $1::text AND c.tenant_uuid = $2

-- name: external.create_config
INSERT INTO auth_external_auth_config (type_uuid, tenant_uuid, data)
SELECT uuid, $2, $3 FROM auth_external_auth_type WHERE name = $1::text
ON CONFLICT DO NOTHING

-- name: external.update_config
UPDATE auth_external_auth_config SET data = $3
WHERE type_uuid = (SELECT uuid FROM auth_external_auth_type WHERE name = $1::text) AND tenant_uuid = $2

-- name: external.delete_config
DELETE FROM auth_external_auth_config
WHERE type_uuid = (SELECT uuid FROM auth_external_auth_type WHERE name = $1::text) AND tenant_uuid = $2

-- name: external.data
SELECT d.data FROM auth_user_external_auth d JOIN auth_external_auth_type t ON t.uuid = d.external_auth_type_uuid
WHERE t.name = $1::text AND d.user_uuid = $2

-- name: external.data_to_change
SELECT d.data FROM auth_user_external_auth d JOIN auth_external_auth_type t ON t.uuid = d.external_auth_type_uuid
WHERE t.name = $1::text AND d.user_uuid = $2
FOR UPDATE OF d

-- name: external.replace_data
UPDATE auth_user_external_auth SET data = $3
WHERE external_auth_type_uuid = (SELECT uuid FROM auth_external_auth_type WHERE name = $1::text) AND user_uuid = $2

-- name: external.create_data
INSERT INTO auth_user_external_auth (external_auth_type_uuid, user_uuid, data)
SELECT uuid, $2, $3 FROM auth_external_auth_type WHERE name = $1::text
ON CONFLICT DO NOTHING

-- name: external.put_data
INSERT INTO auth_user_external_auth AS d (external_auth_type_uuid, user_uuid, data)
SELECT uuid, $2, $3 FROM auth_external_auth_type WHERE name = $1::text
ON CONFLICT (user_uuid, external_auth_type_uuid) DO UPDATE SET data = excluded.data
RETURNING d.xmax = 0 AS created

-- name: external.delete_data
DELETE FROM auth_user_external_auth
WHERE external_auth_type_uuid = (SELECT uuid FROM auth_external_auth_type WHERE name = $1::text) AND user_uuid = $2
