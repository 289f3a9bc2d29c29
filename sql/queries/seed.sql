-- What a start, and the creation of a tenant, make sure of: docs/spec/endpoints.md section 19. Where $1 is a tenant only
-- that one is meant, else all are.

-- name: seed.lock
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.seed'))

-- name: seed.default_policies
-- Those of tenant $1 that have one of the slugs $2, with their accesses in the order that they were given in.
SELECT p.slug, p.uuid, p.name, p.description, p.config_managed,
       (SELECT coalesce(json_agg(a.access ORDER BY pa.ctid), '[]')
        FROM auth_policy_access pa JOIN auth_access a ON a.id = pa.access_id WHERE pa.policy_uuid = p.uuid) AS acl
FROM unnest($2::text[]) AS s (slug)
JOIN auth_policy p ON lower(p.slug) = lower(s.slug) AND p.slug = s.slug AND p.tenant_uuid = $1

-- name: seed.is_done
-- Does the master tenant $1 have what the configuration gives every tenant? Then the others do, unless somebody took it
-- away from them: one transaction seeds all. $2 policies for all users; $3 those, and policies that are named and not
-- attached; $4 default groups; $5 of which group is which policy $6, and is it attached, $7. A policy that nobody has
-- can't be attached.
WITH all_users AS (
  SELECT p.slug, p.config_managed AND p.tenant_uuid = $1 AS managed
  FROM auth_group g JOIN auth_group_policy a ON a.group_uuid = g.uuid JOIN auth_policy p ON p.uuid = a.policy_uuid
  WHERE g.tenant_uuid = $1 AND g.name = 'wazo-all-users-tenant-' || $1
), known AS (
  SELECT s.slug FROM unnest($2::text[] || $6::text[]) AS s (slug)
  WHERE EXISTS (SELECT 1 FROM auth_policy p WHERE lower(p.slug) = lower(s.slug) AND p.slug = s.slug)
), groups AS (
  SELECT g.slug, g.uuid FROM unnest($4::text[]) AS s (slug)
  JOIN auth_group g ON lower(g.slug) = lower(s.slug) AND g.slug = s.slug AND g.tenant_uuid = $1
), wanted AS (
  SELECT w.policy, w.attached, EXISTS (SELECT 1 FROM auth_group_policy a JOIN auth_policy p ON p.uuid = a.policy_uuid
                                       WHERE a.group_uuid = g.uuid AND p.slug = w.policy) AS is_attached
  FROM unnest($5::text[], $6::text[], $7::boolean[]) AS w (slug, policy, attached) JOIN groups g USING (slug)
)
SELECT EXISTS (SELECT 1 FROM auth_group g WHERE g.tenant_uuid = $1 AND g.name = 'wazo-all-users-tenant-' || $1)
   AND NOT EXISTS (SELECT 1 FROM unnest($2::text[]) AS s (slug)
                   WHERE slug IN (SELECT slug FROM known) AND slug NOT IN (SELECT slug FROM all_users))
   AND NOT EXISTS (SELECT 1 FROM all_users WHERE managed AND slug <> ALL ($3::text[]))
   AND (SELECT count(*) FROM groups) = cardinality($4::text[])
   AND NOT EXISTS (SELECT 1 FROM wanted WHERE is_attached <> attached AND (is_attached OR policy IN (SELECT slug FROM known)))
       AS done

-- name: seed.name_taken
SELECT EXISTS (SELECT 1 FROM auth_policy WHERE tenant_uuid = $1 AND name = $2 AND uuid <> $3) AS taken

-- name: seed.update_policy
UPDATE auth_policy SET name = $2, description = $3, config_managed = true WHERE uuid = $1

-- name: seed.manage_policy
UPDATE auth_policy SET description = $2, config_managed = true WHERE uuid = $1

-- name: seed.delete_orphans
DELETE FROM auth_policy p
WHERE p.config_managed AND p.slug <> ALL ($1::text[])
  AND NOT EXISTS (SELECT 1 FROM auth_user_policy a WHERE a.policy_uuid = p.uuid)
  AND NOT EXISTS (SELECT 1 FROM auth_group_policy a WHERE a.policy_uuid = p.uuid)
RETURNING p.uuid, p.slug

-- name: seed.orphans
SELECT uuid, slug FROM auth_policy WHERE config_managed AND slug <> ALL ($1::text[]) ORDER BY slug

-- name: seed.policy_by_slug
-- The master's own first: other tenants may use the same slug.
SELECT p.uuid FROM auth_policy p JOIN auth_tenant t ON t.uuid = p.tenant_uuid
WHERE p.slug = $1
ORDER BY (t.uuid = t.parent_uuid) DESC, p.uuid
LIMIT 1

-- name: seed.make_all_users_groups
WITH made AS (
  INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
  SELECT 'wazo-all-users-tenant-' || t.uuid, 'wazo-all-users-tenant-' || t.uuid, t.uuid, true
  FROM auth_tenant t
  WHERE ($1::text IS NULL OR t.uuid = $1)
    AND NOT EXISTS (SELECT 1 FROM auth_group g
                    WHERE g.tenant_uuid = t.uuid AND g.name = 'wazo-all-users-tenant-' || t.uuid)
  ON CONFLICT DO NOTHING
  RETURNING uuid, tenant_uuid
), joined AS (
  INSERT INTO auth_user_group (group_uuid, user_uuid)
  SELECT made.uuid, u.uuid FROM made JOIN auth_user u ON u.tenant_uuid = made.tenant_uuid
)
SELECT tenant_uuid FROM made

-- name: seed.attach_to_all_users
-- The policy is locked: it may be going.
INSERT INTO auth_group_policy (group_uuid, policy_uuid)
SELECT g.uuid, p.uuid FROM auth_group g, auth_policy p
WHERE ($1::text IS NULL OR g.tenant_uuid = $1) AND g.name = 'wazo-all-users-tenant-' || g.tenant_uuid
  AND p.uuid = $2
  AND NOT EXISTS (SELECT 1 FROM auth_group_policy a WHERE a.group_uuid = g.uuid AND a.policy_uuid = $2)
FOR KEY SHARE OF p
ON CONFLICT DO NOTHING

-- name: seed.detach_from_all_users
DELETE FROM auth_group_policy a USING auth_group g, auth_policy p
WHERE g.uuid = a.group_uuid AND p.uuid = a.policy_uuid
  AND g.name = 'wazo-all-users-tenant-' || g.tenant_uuid
  AND p.tenant_uuid = g.tenant_uuid AND p.config_managed AND p.slug <> ALL ($1::text[])

-- name: seed.make_default_groups
INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
SELECT $2::text, $2::text, t.uuid, false FROM auth_tenant t
WHERE ($1::text IS NULL OR t.uuid = $1)
  AND NOT EXISTS (SELECT 1 FROM auth_group g WHERE g.tenant_uuid = t.uuid AND g.slug = $2)
ON CONFLICT DO NOTHING

-- name: seed.rename_default_groups
UPDATE auth_group g SET name = g.slug
WHERE ($1::text IS NULL OR g.tenant_uuid = $1) AND g.slug = $2 AND g.name <> g.slug
  AND NOT EXISTS (SELECT 1 FROM auth_group o WHERE o.tenant_uuid = g.tenant_uuid AND o.name = g.slug)

-- name: seed.tenants_without_default_group
SELECT t.uuid FROM auth_tenant t
WHERE ($1::text IS NULL OR t.uuid = $1)
  AND NOT EXISTS (SELECT 1 FROM auth_group g WHERE g.tenant_uuid = t.uuid AND g.slug = $2 AND g.name = $2)

-- name: seed.attach_to_default_groups
-- A group that has any policy of that slug is left alone.
INSERT INTO auth_group_policy (group_uuid, policy_uuid)
SELECT g.uuid, p.uuid FROM auth_group g, auth_policy p
WHERE ($1::text IS NULL OR g.tenant_uuid = $1) AND g.slug = $2
  AND p.uuid = $3
  AND NOT EXISTS (SELECT 1 FROM auth_group_policy a JOIN auth_policy o ON o.uuid = a.policy_uuid
                  WHERE a.group_uuid = g.uuid AND o.slug = $4)
FOR KEY SHARE OF p
ON CONFLICT DO NOTHING

-- name: seed.detach_from_default_groups
DELETE FROM auth_group_policy a USING auth_group g, auth_policy p
WHERE g.uuid = a.group_uuid AND p.uuid = a.policy_uuid
  AND ($1::text IS NULL OR g.tenant_uuid = $1) AND g.slug = $2 AND p.slug = $3

-- name: seed.tenants_with_other_methods
SELECT uuid, default_authentication_method AS method FROM auth_tenant
WHERE default_authentication_method <> ALL ($1::text[]) ORDER BY uuid

-- name: seed.users_with_other_methods
SELECT uuid, authentication_method AS method FROM auth_user WHERE authentication_method <> ALL ($1::text[]) ORDER BY uuid
