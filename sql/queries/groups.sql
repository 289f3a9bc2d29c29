-- Groups, their members and their policies.

-- name: groups.page
-- Of a tenant $1 ($2: and of its subtree); $11: only those that this user is in.
WITH RECURSIVE scope AS (
  SELECT $1::text AS uuid
  UNION
  SELECT t.uuid FROM auth_tenant t JOIN scope s ON t.parent_uuid = s.uuid WHERE $2::boolean
), counted AS (
  SELECT g.uuid, g.tenant_uuid, g.name, g.slug, g.system_managed
  FROM auth_group g
  WHERE ($11::text IS NULL AND g.tenant_uuid IN (SELECT uuid FROM scope))
     OR g.uuid IN (SELECT group_uuid FROM auth_user_group WHERE user_uuid = $11)
), matched AS (
  SELECT * FROM counted g
  WHERE ($3::text IS NULL OR g.name ILIKE $3)
    AND ($4::text IS NULL OR g.uuid = $4)
    AND ($5::text IS NULL OR g.name = $5)
    AND ($6::text IS NULL OR g.slug = $6)
    AND ($7::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_user_group m WHERE m.group_uuid = g.uuid AND m.user_uuid = $7))
    AND ($8::boolean IS NULL OR g.system_managed = $8::boolean)
    AND ($9::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_group_policy a WHERE a.group_uuid = g.uuid AND a.policy_uuid = $9))
    AND ($10::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_group_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
          WHERE a.group_uuid = g.uuid AND p.slug = $10))
), page AS (
  SELECT *, row_number() OVER (ORDER BY {order} {direction}) AS place
  FROM matched ORDER BY place LIMIT $12::bigint OFFSET $13::bigint
)
SELECT (SELECT count(*) FROM counted) AS total, (SELECT count(*) FROM matched) AS filtered, page.*
FROM (SELECT) AS always LEFT JOIN page ON true
ORDER BY page.place

-- name: groups.visible
-- A group whose tenant is $2 or below it.
WITH RECURSIVE up AS (
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN auth_group g ON g.tenant_uuid = t.uuid WHERE g.uuid = $1
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN up ON t.uuid = up.parent_uuid
)
SELECT uuid, tenant_uuid, name, slug, system_managed FROM auth_group
WHERE uuid = $1 AND EXISTS (SELECT 1 FROM up WHERE up.uuid = $2)

-- name: groups.slug_taken
SELECT EXISTS (SELECT 1 FROM auth_group WHERE tenant_uuid = $1 AND slug = $2) AS taken

-- name: groups.create
INSERT INTO auth_group (name, slug, tenant_uuid, system_managed) VALUES ($1, $2, $3, false)
RETURNING uuid, tenant_uuid, name, slug, system_managed

-- name: groups.rename
UPDATE auth_group SET name = $2 WHERE uuid = $1 RETURNING uuid, tenant_uuid, name, slug, system_managed

-- name: groups.delete
DELETE FROM auth_group WHERE uuid = $1

-- name: groups.add_user
INSERT INTO auth_user_group (group_uuid, user_uuid) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: groups.remove_user
DELETE FROM auth_user_group WHERE group_uuid = $1 AND user_uuid = $2

-- name: groups.add_policy
INSERT INTO auth_group_policy (group_uuid, policy_uuid) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: groups.remove_policy
DELETE FROM auth_group_policy WHERE group_uuid = $1 AND policy_uuid = $2
