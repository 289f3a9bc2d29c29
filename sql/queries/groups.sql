-- Groups, their members and their policies.

-- name: groups.page
{with}
SELECT (SELECT count(*) FROM auth_group g WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM auth_group g WHERE {where}) END AS filtered,
       page.*
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (
    SELECT g.uuid, g.tenant_uuid, g.name, g.slug, g.system_managed AS read_only, g.system_managed
    FROM auth_group g WHERE {where} ORDER BY {sort} {ahead}
  ) AS ahead LIMIT {limit} OFFSET {offset}
) AS page ON true

-- name: groups.of_user
g.uuid IN (SELECT group_uuid FROM auth_user_group WHERE user_uuid = ?)

-- name: groups.found
WITH found AS MATERIALIZED (SELECT uuid FROM auth_group WHERE name ILIKE ?)

-- name: groups.among_found
g.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: groups.matching
g.name ILIKE ?

-- name: groups.by.uuid
g.uuid = ?

-- name: groups.by.name
g.name = ?

-- name: groups.by.slug
(lower(g.slug) = lower(?) AND g.slug = ?)

-- name: groups.by.user_uuid
g.uuid IN (SELECT group_uuid FROM auth_user_group WHERE user_uuid = ?)

-- name: groups.by.read_only
g.system_managed = ?::boolean

-- name: groups.by.policy_uuid
g.uuid IN (SELECT group_uuid FROM auth_group_policy WHERE policy_uuid = ?)

-- name: groups.by.policy_slug
g.uuid IN (SELECT a.group_uuid FROM auth_group_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
           WHERE lower(p.slug) = lower(?) AND p.slug = ?)

-- name: groups.visible
-- A group whose tenant is $2 or below it.
SELECT uuid, tenant_uuid, name, slug, system_managed AS read_only, system_managed FROM auth_group g
WHERE g.uuid = $1 AND {tree.within(g.tenant_uuid, $2)}

-- name: groups.named
-- The group of tenant $2 with the slug or the uuid $1.
SELECT uuid, tenant_uuid, name, slug, system_managed AS read_only, system_managed FROM auth_group
WHERE tenant_uuid = $2 AND (slug = $1 OR uuid = $1)
ORDER BY slug = $1 DESC
LIMIT 1

-- name: groups.slug_taken
SELECT EXISTS (SELECT 1 FROM auth_group WHERE tenant_uuid = $1 AND slug = $2) AS taken

-- name: groups.create
INSERT INTO auth_group (name, slug, tenant_uuid, system_managed) VALUES ($1, $2, $3, false)
RETURNING uuid, tenant_uuid, name, slug, system_managed AS read_only, system_managed

-- name: groups.rename
UPDATE auth_group SET name = $2 WHERE uuid = $1
RETURNING uuid, tenant_uuid, name, slug, system_managed AS read_only, system_managed AS read_only, system_managed

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
