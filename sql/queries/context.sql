-- Who asks, and what they may see.

-- name: context.user_tenant
SELECT tenant_uuid FROM auth_user WHERE uuid = $1

-- name: context.in_subtree
SELECT {tree.within($1, $2)} AS inside

-- name: context.master_tenant
SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid ORDER BY uuid LIMIT 1
