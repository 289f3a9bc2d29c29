-- Who asks, and what they may see.

-- name: context.user_tenant
SELECT tenant_uuid FROM auth_user WHERE uuid = $1

-- name: context.in_subtree
WITH RECURSIVE up AS (
  SELECT uuid, parent_uuid FROM auth_tenant WHERE uuid = $1
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN up ON t.uuid = up.parent_uuid
)
SELECT EXISTS (SELECT 1 FROM up WHERE uuid = $2) AS inside

-- name: context.master_tenant
SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid ORDER BY uuid LIMIT 1
